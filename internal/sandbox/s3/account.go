package s3

import (
	"net/http"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// The public access block of an account, in S3 Control. On AWS the host name begins with
// the account's number; here the account is that of the header.

const accountBlockPath = "/v20180820/configuration/publicAccessBlock"

var accountRoutes = map[string]route{
	http.MethodGet:    {"GetAccountPublicAccessBlock", "s3:GetAccountPublicAccessBlock", getAccountBlock},
	http.MethodPut:    {"PutAccountPublicAccessBlock", "s3:PutAccountPublicAccessBlock", putAccountBlock},
	http.MethodDelete: {"DeleteAccountPublicAccessBlock", "s3:PutAccountPublicAccessBlock", deleteAccountBlock},
}

// blocked joins the public access blocks of the bucket and its account. The caller holds mu.
func (b *bucket) blocked() *iampolicy.PublicAccessBlock {
	all := b.s.blocks[b.account]
	switch {
	case all == nil:
		return b.block
	case b.block == nil:
		return all
	}
	return &iampolicy.PublicAccessBlock{
		BlockPublicAcls: all.BlockPublicAcls || b.block.BlockPublicAcls, IgnorePublicAcls: all.IgnorePublicAcls || b.block.IgnorePublicAcls,
		BlockPublicPolicy: all.BlockPublicPolicy ||
			b.block.BlockPublicPolicy, RestrictPublicBuckets: all.RestrictPublicBuckets || b.block.RestrictPublicBuckets,
	}
}

// ofAccount decides a call about the caller's account.
func (c *call) ofAccount() error {
	if c.Caller.Kind == kernel.Anonymous || c.HTTP.Header.Get("X-Amz-Account-Id") != c.Caller.Account {
		return accessDenied()
	}
	if e := c.s.k.Authorize(c.Request, kernel.Access{
		Caller: c.Caller, Action: c.action, Resource: "*", Owner: c.Caller.Account, Context: c.Conditions(c.Region()),
	}); e != nil {
		return e
	}
	return nil
}

// setAccountBlock replaces the block of the caller's account; nil for none.
func (c *call) setAccountBlock(block *iampolicy.PublicAccessBlock) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if block == nil {
		delete(c.s.blocks, c.Caller.Account)
		return
	}
	c.s.blocks[c.Caller.Account] = block
}

func getAccountBlock(c *call) error {
	if err := c.ofAccount(); err != nil {
		return err
	}
	c.s.mu.RLock()
	block := c.s.blocks[c.Caller.Account]
	c.s.mu.RUnlock()
	if block == nil {
		return kernel.Fail(http.StatusNotFound, "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found").
			With("AccountId", c.Caller.Account)
	}
	return c.writeXML(publicAccessXML{
		Xmlns: "http://awss3control.amazonaws.com/doc/2018-08-20/", BlockPublicAcls: block.BlockPublicAcls,
		IgnorePublicAcls: block.IgnorePublicAcls, BlockPublicPolicy: block.BlockPublicPolicy, RestrictPublicBuckets: block.RestrictPublicBuckets,
	})
}

func putAccountBlock(c *call) error {
	data, err := c.control(maxConfigBody)
	if err != nil {
		return err
	}
	var in publicAccessXML
	if err := parseXML(data, &in); err != nil {
		return err
	}
	if err := c.ofAccount(); err != nil {
		return err
	}
	c.setAccountBlock(&iampolicy.PublicAccessBlock{
		BlockPublicAcls: in.BlockPublicAcls, IgnorePublicAcls: in.IgnorePublicAcls,
		BlockPublicPolicy: in.BlockPublicPolicy, RestrictPublicBuckets: in.RestrictPublicBuckets,
	})
	return c.done(http.StatusCreated)
}

func deleteAccountBlock(c *call) error {
	if err := c.ofAccount(); err != nil {
		return err
	}
	c.setAccountBlock(nil)
	return c.done(http.StatusNoContent)
}

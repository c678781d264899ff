package sandbox

import (
	"net/http"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// The public-access block of an account, which S3 Control keeps. Its host name
// begins with the account's number on AWS; here the header tells the account.

const accountBlockPath = "/v20180820/configuration/publicAccessBlock"

var accountRoutes = map[string]s3Route{
	http.MethodGet:    {"GetAccountPublicAccessBlock", "s3:GetAccountPublicAccessBlock", getAccountBlock},
	http.MethodPut:    {"PutAccountPublicAccessBlock", "s3:PutAccountPublicAccessBlock", putAccountBlock},
	http.MethodDelete: {"DeleteAccountPublicAccessBlock", "s3:PutAccountPublicAccessBlock", deleteAccountBlock},
}

// blocked is what is blocked for a bucket: by its own setting or its account's.
// The caller holds mu.
func (b *bucket) blocked() *iampolicy.PublicAccessBlock {
	var all *iampolicy.PublicAccessBlock
	if acct := b.world.accounts[b.account]; acct != nil {
		all = acct.block
	}
	switch {
	case all == nil:
		return b.block
	case b.block == nil:
		return all
	}
	return &iampolicy.PublicAccessBlock{
		BlockPublicAcls: all.BlockPublicAcls || b.block.BlockPublicAcls, IgnorePublicAcls: all.IgnorePublicAcls || b.block.IgnorePublicAcls,
		BlockPublicPolicy: all.BlockPublicPolicy || b.block.BlockPublicPolicy, RestrictPublicBuckets: all.RestrictPublicBuckets || b.block.RestrictPublicBuckets,
	}
}

// ofAccount authorizes a call about the caller's account. It returns with mu held
// for writing when there is no error.
func (c *s3Call) ofAccount() (*account, error) {
	if c.caller.kind == anonymous || c.r.Header.Get("X-Amz-Account-Id") != c.caller.account {
		return nil, accessDenied()
	}
	w := c.s.world
	w.mu.Lock()
	if e := w.authorize(c.call, access{caller: c.caller, action: c.action, resource: "*", owner: c.caller.account, context: c.requestContext(c.s.region(c.call))}); e != nil {
		w.mu.Unlock()
		return nil, e
	}
	return w.accounts[c.caller.account], nil
}

func getAccountBlock(c *s3Call, _ *bucket) error {
	acct, err := c.ofAccount()
	if err != nil {
		return err
	}
	defer c.unlock()
	if acct.block == nil {
		return fail(http.StatusNotFound, "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found").with("AccountId", acct.id)
	}
	return c.writeXML(publicAccessXML{
		Xmlns: "http://awss3control.amazonaws.com/doc/2018-08-20/", BlockPublicAcls: acct.block.BlockPublicAcls, IgnorePublicAcls: acct.block.IgnorePublicAcls,
		BlockPublicPolicy: acct.block.BlockPublicPolicy, RestrictPublicBuckets: acct.block.RestrictPublicBuckets,
	})
}

func putAccountBlock(c *s3Call, _ *bucket) error {
	data, err := c.control(maxConfigBody)
	if err != nil {
		return err
	}
	var in publicAccessXML
	if err := parseXML(data, &in); err != nil {
		return err
	}
	acct, err := c.ofAccount()
	if err != nil {
		return err
	}
	defer c.unlock()
	acct.block = &iampolicy.PublicAccessBlock{
		BlockPublicAcls: in.BlockPublicAcls, IgnorePublicAcls: in.IgnorePublicAcls,
		BlockPublicPolicy: in.BlockPublicPolicy, RestrictPublicBuckets: in.RestrictPublicBuckets,
	}
	return c.done(http.StatusCreated)
}

func deleteAccountBlock(c *s3Call, _ *bucket) error {
	acct, err := c.ofAccount()
	if err != nil {
		return err
	}
	defer c.unlock()
	acct.block = nil
	return c.done(http.StatusNoContent)
}

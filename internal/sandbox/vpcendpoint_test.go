package sandbox_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/brokerd/brokerd/internal/sandbox"
)

// through gives the same identity by another way.
func (c *clients) through(url string) *clients {
	cfg := c.cfg.Copy()
	cfg.BaseEndpoint = &url
	out := *c
	out.cfg, out.sts = cfg, sts.NewFromConfig(cfg)
	out.s3 = s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	return &out
}

func TestConditionsOnTheVPCEndpoint(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	url := must[string](t)(w.sb.AddVPCEndpoint(sandbox.VPCEndpoint{ID: "vpce-0a1b2c3d", VPC: "vpc-11"}))
	other := must[string](t)(w.sb.AddVPCEndpoint(sandbox.VPCEndpoint{ID: "vpce-ffffffff", VPC: "vpc-22"}))
	for _, row := range []struct{ key, value string }{{"aws:SourceVpce", "vpce-0a1b2c3d"}, {"aws:SourceVpc", "vpc-11"}} {
		w.putBucketPolicy(
			t,
			fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":%q},"Action":"s3:PutObject",`+
				`"Resource":"arn:aws:s3:::%s/logs/*","Condition":{"StringEquals":{%q:%q}}}}`, w.role, bucketB, row.key, row.value),
		)
		for _, by := range []struct {
			name string
			c    *clients
			want string
		}{{"the endpoint", w.uploader.through(url), ""}, {"another endpoint", w.uploader.through(other), "AccessDenied"},
			{"the open network", w.uploader, "AccessDenied"}} {
			if _, err := by.c.s3.PutObject(ctx, w.put("logs/x", []byte("x"))); code(err) != by.want {
				t.Errorf("%s through %s: %v", row.key, by.name, err)
			}
		}
	}
}

func TestTheEndpointsPolicyHasToAllow(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	url := must[string](t)(w.sb.AddVPCEndpoint(sandbox.VPCEndpoint{ID: "vpce-1", VPC: "vpc-1", Policy: fmt.Sprintf(
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:PutObject",`+
			`"Resource":"arn:aws:s3:::%s/logs/in/*"}}`, bucketB)}))
	c := w.uploader.through(url)
	// The key is S3's call and does not come through the endpoint.
	must[*s3.PutObjectOutput](t)(c.s3.PutObject(ctx, w.put("logs/in/x", []byte("x"))))
	if _, err := c.s3.PutObject(ctx, w.put("logs/out/x", []byte("x"))); code(err) != "AccessDenied" {
		t.Errorf("an object that the endpoint's policy does not name: %v", err)
	}
	must[*s3.PutObjectOutput](t)(w.uploader.s3.PutObject(ctx, w.put("logs/out/x", []byte("x"))))
	if _, err := w.app.through(url).sts.AssumeRole(ctx, w.assumeInput()); code(err) != "AccessDenied" {
		t.Errorf("AssumeRole through an endpoint for PutObject: %v", err)
	}
}

func TestEndpointsAreChecked(t *testing.T) {
	sb := start(t, sandbox.Options{})
	good := sandbox.VPCEndpoint{ID: "vpce-1", VPC: "vpc-1"}
	must[string](t)(sb.AddVPCEndpoint(good))
	for name, e := range map[string]sandbox.VPCEndpoint{
		"the same id again": good, "no id": {VPC: "vpc-1"}, "no VPC": {ID: "vpce-2"},
		"a policy that is none": {ID: "vpce-3", VPC: "vpc-1", Policy: "{"},
	} {
		if url, err := sb.AddVPCEndpoint(e); err == nil {
			t.Errorf("%s: opened at %s", name, url)
		}
	}
}

func TestCloseClosesEndpoints(t *testing.T) {
	for name, started := range map[string]bool{"served": true, "never served": false} {
		t.Run(name, func(t *testing.T) {
			sb, err := sandbox.New(sandbox.Options{Addr: "127.0.0.1:0", Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			if started {
				sb.Start()
			}
			url := must[string](t)(sb.AddVPCEndpoint(sandbox.VPCEndpoint{ID: "vpce-1", VPC: "vpc-1"}))
			if err := sb.Close(); err != nil {
				t.Fatal(err)
			}
			// The address is free as soon as Close has returned.
			l, err := net.Listen("tcp", strings.TrimPrefix(url, "https://"))
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			if _, err := sb.AddVPCEndpoint(sandbox.VPCEndpoint{ID: "vpce-2", VPC: "vpc-1"}); err == nil {
				t.Error("an endpoint of a closed sandbox")
			}
		})
	}
}

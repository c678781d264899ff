package recorded

import (
	"maps"
	"net/http"
	"testing"
)

// read makes an answer of a body.
func read(kind, body string) *Answer {
	return newAnswer(&http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {kind}}}, nil, []byte(body))
}

func TestFieldsOfAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		kind, body string
		want       map[string]string
	}{
		"an error of S3": {"application/xml", `<?xml version="1.0"?><Error><Code>NoSuchKey</Code><Key>a b</Key></Error>`, map[string]string{
			"Code": "NoSuchKey", "Key": "a b", "#Code": "1", "#Key": "1",
		}},
		"a list": {"application/xml", `<L xmlns="x"><C><K>a</K></C><C><K>b</K></C><E/></L>`, map[string]string{
			"C.K": "a", "C#2.K": "b", "#C": "2", "#C.K": "1", "#C#2.K": "1", "E": "", "#E": "1",
		}},
		"an error of the query protocol": {"text/xml", `<ErrorResponse><Error><Code>X</Code></Error>` +
			`<RequestId>1</RequestId></ErrorResponse>`, map[string]string{
			"Code": "X", "#Code": "1", "RequestId": "1", "#RequestId": "1",
		}},
		"an answer of the query protocol": {"text/xml", `<GetRoleResponse><GetRoleResult><Role><Path>/</Path></Role>` +
			`</GetRoleResult></GetRoleResponse>`, map[string]string{
			"Role.Path": "/", "#Role": "1", "#Role.Path": "1",
		}},
		"errors within an answer of S3": {"application/xml", `<DeleteResult><Error><Code>X</Code></Error></DeleteResult>`, map[string]string{
			"Error.Code": "X", "#Error": "1", "#Error.Code": "1",
		}},
		"a document of one element": {"application/xml", `<LocationConstraint>eu-west-1</LocationConstraint>`, map[string]string{
			".": "eu-west-1",
		}},
		"an error of KMS": {"application/x-amz-json-1.1", `{"__type":"com.amazonaws.kms#X","message":"m"}`, map[string]string{
			"Code": "X", "Message": "m",
		}},
		"an answer of KMS": {"application/x-amz-json-1.1", `{"K":{"N":1,"B":true,"A":["x",{"y":null}]}}`, map[string]string{
			"K.N": "1", "K.B": "true", "K.A": "x", "#K.A": "2", "K.A#2.y": "null",
		}},
		"an object's data": {"binary/octet-stream", "data", map[string]string{}},
	} {
		if got := read(c.kind, c.body).Fields; !maps.Equal(got, c.want) {
			t.Errorf("%s:\ngot  %v\nwant %v", name, got, c.want)
		}
	}
}

func TestHeadsAreReadAsTheyWereSent(t *testing.T) {
	raw := "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nETag: \"a\"\r\nx-amz-meta-mixed: v: w\r\n\r\nbody\r\n\r\n"
	a := &Answer{Headers: readHead([]byte(raw))}
	if v, ok := a.header("etag", false); !ok || v != `"a"` {
		t.Errorf("ETag: got %q, %v", v, ok)
	}
	if v, ok := a.header("x-amz-meta-mixed", true); !ok || v != "v: w" {
		t.Errorf("the header's value: got %q, %v", v, ok)
	}
	if _, ok := a.header("Etag", true); ok {
		t.Error("the case of the name is not compared")
	}
	if len(a.Headers) != 2 {
		t.Errorf("got %d headers, want 2: %v", len(a.Headers), a.Headers)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add("application/xml", `<a><b>1</b><b/></a>`)
	f.Add("application/json", `{"a":[1,{"b":null}]}`)
	f.Add("text/xml", `<ErrorResponse><Error></ErrorResponse>`)
	f.Fuzz(func(_ *testing.T, kind, body string) { read(kind, body) })
}

func FuzzHead(f *testing.F) {
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, h := range readHead(raw) {
			if len(h.Name) > len(raw) {
				t.Errorf("the header %q is longer than the head", h.Name)
			}
		}
	})
}

package recorded

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// middleware applies the options between serialization and signing, and those that
// are added on the way after it. The SDK's own checks of the input are left out:
// the server is to judge.
func (q *request) middleware(ctx context.Context, r *run) (func(*middleware.Stack) error, error) {
	before, err := q.before(ctx, r)
	if err != nil {
		return nil, err
	}
	return func(stack *middleware.Stack) error {
		_, _ = stack.Initialize.Remove("OperationInputValidation") // not every operation has it
		if err := stack.Serialize.Add(middleware.SerializeMiddlewareFunc("RecordedRequest",
			func(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (middleware.SerializeOutput,
				middleware.Metadata, error) {
				req, ok := in.Request.(*smithyhttp.Request)
				if !ok {
					return middleware.SerializeOutput{}, middleware.Metadata{}, fmt.Errorf("the request is a %T", in.Request)
				}
				changed, err := before(req)
				if err != nil {
					return middleware.SerializeOutput{}, middleware.Metadata{}, err
				}
				in.Request = changed
				return next.HandleSerialize(ctx, in)
			}), middleware.After); err != nil {
			return err
		}
		return stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("RecordedAddition",
			func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput,
				middleware.Metadata, error) {
				if req, ok := in.Request.(*smithyhttp.Request); ok {
					for _, h := range q.added {
						req.Header.Set(h.Name, h.Value)
					}
				}
				return next.HandleFinalize(ctx, in)
			}), middleware.After)
	}, nil
}

// before expands the options and returns their effect on the serialized request.
func (q *request) before(ctx context.Context, r *run) (func(*smithyhttp.Request) (*smithyhttp.Request, error), error) {
	headers, err := r.expandAll(ctx, q.headers)
	if err != nil {
		return nil, err
	}
	parameters, err := r.expandAll(ctx, q.query)
	if err != nil {
		return nil, err
	}
	var body *string
	if q.wire != nil {
		text, err := r.expand(ctx, *q.wire)
		if err != nil {
			return nil, err
		}
		body = &text
	}
	return func(req *smithyhttp.Request) (*smithyhttp.Request, error) {
		for _, h := range headers {
			req.Header.Set(h.Name, h.Value)
		}
		values := req.URL.Query()
		for _, p := range parameters {
			values.Add(p.Name, p.Value)
		}
		if len(parameters) > 0 {
			req.URL.RawQuery = values.Encode()
		}
		if body == nil {
			return req, nil
		}
		if *body == "" {
			req.ContentLength = 0
			return req.SetStream(nil)
		}
		return req.SetStream(strings.NewReader(*body))
	}, nil
}

func (r *run) expandAll(ctx context.Context, in []Header) ([]Header, error) {
	out := make([]Header, len(in))
	for i, h := range in {
		value, err := r.expand(ctx, h.Value)
		if err != nil {
			return nil, err
		}
		out[i] = Header{h.Name, value}
	}
	return out, nil
}

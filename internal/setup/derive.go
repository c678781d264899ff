package setup

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
)

// StateOf derives the arrangement that a whole configuration needs. It includes
// destinations that are not about to change, because destinations share documents.
// S3-compatible stores are left out. A destination whose source identity is not
// configured is an error: a trust policy is never opened to a whole account.
func StateOf(cfg *config.Config) (State, error) {
	var errs []error
	b := newBuilder()
	for _, name := range slices.Sorted(maps.Keys(cfg.Destinations)) {
		d := cfg.Destinations[name]
		if d.Compatible {
			continue
		}
		s := cfg.SetupOf(d)
		if s.RunsAs == (config.RunsAs{}) {
			errs = append(
				errs,
				fmt.Errorf(
					"%s:%d: destination %s: who assumes role %s is not known; write setup.runs_as, such as {type: ec2, "+
						"principal: arn:aws:iam::111122223333:role/NAME}",
					cfg.Path,
					d.Line,
					name,
					firstRole(d),
				),
			)
			continue
		}
		if err := b.add(d, s); err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: destination %s: %w", cfg.Path, d.Line, name, err))
		}
	}
	if len(errs) > 0 {
		return State{}, errors.Join(errs...)
	}
	return b.state(), nil
}

func firstRole(d *config.Destination) string {
	if len(d.Chain) > 0 {
		return d.Chain[0].Role
	}
	return d.Role
}

// builder collects what destinations ask for, by role, key, bucket and trail.
type builder struct {
	roles      map[string]*roleParts
	roleOrder  []string
	sources    map[string]*sourceParts
	keys       map[string]*keyParts
	buckets    map[string]*bucketParts
	trails     map[string]*Trail
	deliveries []Delivery
}

type roleParts struct {
	Role
	depth                         int // its place in the longest chain that it is part of
	trust, write, encrypt, assume statementGroup
}

type sourceParts struct {
	Source
	assume statementGroup
}

type keyParts struct {
	Key
	admin, use statementGroup
}

type bucketParts struct {
	Bucket
	write, plain, noKMS, otherKey statementGroup
}

func newBuilder() *builder {
	return &builder{
		roles:   map[string]*roleParts{},
		sources: map[string]*sourceParts{},
		keys:    map[string]*keyParts{},
		buckets: map[string]*bucketParts{},
		trails:  map[string]*Trail{},
	}
}

func (b *builder) add(d *config.Destination, s config.Setup) error {
	role, err := awsarn.Parse(d.Role)
	if err != nil {
		return fmt.Errorf("role: %w", err)
	}
	if d.KeyTemplate == nil {
		return errors.New("it was not loaded from a configuration")
	}
	p := part{dest: d, setup: s, partition: role.Partition, sid: sidOf(d.Name, d.Role)}
	p.bucket = "arn:" + p.partition + ":s3:::" + d.Bucket
	p.objects = p.bucket + "/" + d.KeyTemplate.Prefix() + "*"
	if err := b.assume(p); err != nil {
		return err
	}
	own := b.roles[d.Role]
	own.write.add(p.write(), p.sid)
	own.encrypt.add(p.encrypt(), p.sid)
	b.key(p)
	if err := b.bucket(p); err != nil {
		return err
	}
	if err := b.trail(p); err != nil {
		return err
	}
	roles := make([]string, 0, len(d.Chain)+1)
	for _, h := range d.Chain {
		roles = append(roles, h.Role)
	}
	b.deliveries = append(
		b.deliveries,
		Delivery{
			Destination: d,
			Setup:       s,
			Roles:       append(roles, d.Role),
			BucketARN:   p.bucket,
			Objects:     p.objects,
			Sid:         p.sid,
			legacySid:   legacySidOf(d.Name),
		},
	)
	return nil
}

// role is the parts of a role, made at first use.
func (b *builder) role(arn, destination string) (*roleParts, error) {
	r, ok := b.roles[arn]
	if !ok {
		a, err := awsarn.Parse(arn)
		if err != nil {
			return nil, fmt.Errorf("role: %w", err)
		}
		r = &roleParts{Role: Role{ARN: arn, Account: a.Account, Name: a.Name(), Path: a.Path(), MaxSession: time.Hour}}
		r.trust = statementGroup{base: SidAssume, merged: "Action"}
		r.write = statementGroup{base: SidWrite, merged: "Resource"}
		r.encrypt = statementGroup{base: SidEncrypt, merged: "Resource"}
		r.assume = statementGroup{base: SidNextRole, merged: "Resource"}
		b.roles[arn] = r
		b.roleOrder = append(b.roleOrder, arn)
	}
	r.Destinations = with(r.Destinations, destination)
	return r, nil
}

func with(list []string, v string) []string {
	if slices.Contains(list, v) {
		return list
	}
	return append(list, v)
}

func (b *builder) key(p part) {
	k, ok := b.keys[p.dest.KMSKey]
	if !ok {
		a, _ := awsarn.Parse(p.dest.KMSKey) // validated with the configuration
		k = &keyParts{Key: Key{ARN: p.dest.KMSKey, Account: a.Account, Region: a.Region}}
		k.admin, k.use = statementGroup{base: SidKeyAdmin, merged: "Action"}, statementGroup{base: SidKeyUse, merged: "Action"}
		b.keys[p.dest.KMSKey] = k
	}
	k.Destinations = with(k.Destinations, p.dest.Name)
	k.admin.add(p.keyAdmin(), "")
	k.use.add(p.keyUse(), p.sid)
}

func (b *builder) bucket(p part) error {
	d := p.dest
	t, ok := b.buckets[d.Bucket]
	if !ok {
		t = &bucketParts{Bucket: Bucket{
			Name: d.Bucket, ARN: p.bucket, Account: d.Owner, Region: d.Region, Ownership: "BucketOwnerEnforced",
			Encryption:   Encryption{Algorithm: "aws:kms", KeyARN: d.KMSKey, BucketKey: p.bucketKey()},
			PublicAccess: PublicAccess{true, true, true, true},
		}}
		t.write = statementGroup{base: SidBucketWrite, merged: "Resource"}
		t.plain = statementGroup{base: SidDenyPlainHTTP, merged: "Resource"}
		t.noKMS = statementGroup{base: SidDenyNoKMS, merged: "Resource"}
		t.otherKey = statementGroup{base: SidDenyOtherKey, merged: "Resource"}
		b.buckets[d.Bucket] = t
	}
	if t.Region != d.Region || t.Account != d.Owner {
		return fmt.Errorf(
			"bucket %s is in account %s and Region %s for destination %s, and in account %s and Region %s here",
			d.Bucket,
			t.Account,
			t.Region,
			t.Destinations[0],
			d.Owner,
			d.Region,
		)
	}
	t.Destinations = with(t.Destinations, d.Name)
	t.Create = t.Create || (p.setup.CreateBucket != nil && *p.setup.CreateBucket)
	t.write.add(p.bucketWrite(), p.sid)
	t.plain.add(p.denyPlainHTTP(), "")
	t.noKMS.add(p.denyNoKMS(), p.sid)
	t.otherKey.add(p.denyOtherKey(), p.sid)
	t.Lifecycle = append(
		t.Lifecycle,
		LifecycleRule{
			ID:                  lifecycleID(d.Name, d.Role),
			Prefix:              d.KeyTemplate.Prefix(),
			AbortIncompleteDays: abortAfterDays,
			Enabled:             true,
			Whole:               true,
			Only:                true,
		},
	)
	if logs := p.setup.AccessLogs; logs.Bucket != "" {
		want := &Logging{Bucket: logs.Bucket, Prefix: logs.Prefix}
		if t.Logging != nil && *t.Logging != *want {
			return fmt.Errorf(
				"the access logs of bucket %s go to %s for one destination and to %s for another; a bucket has one target",
				d.Bucket,
				t.Logging.Bucket,
				want.Bucket,
			)
		}
		t.Logging = want
	}
	return nil
}

// abortAfterDays is longer than any upload of ours can take: sessions end, and
// the daemon aborts its leftovers after a restart.
const abortAfterDays = 7

func (b *builder) trail(p part) error {
	if p.setup.Trail == "" {
		return nil
	}
	t, ok := b.trails[p.setup.Trail]
	if !ok {
		a, err := awsarn.Parse(p.setup.Trail)
		if err != nil {
			return fmt.Errorf("setup.trail: %w", err)
		}
		t = &Trail{ARN: p.setup.Trail, Account: a.Account, Region: a.Region}
		b.trails[p.setup.Trail] = t
	}
	t.Destinations = with(t.Destinations, p.dest.Name)
	t.Objects = with(t.Objects, strings.TrimSuffix(p.objects, "*"))
	return nil
}

func (b *builder) state() State {
	s := State{Deliveries: b.deliveries}
	slices.SortStableFunc(b.roleOrder, func(x, y string) int { return b.roles[x].depth - b.roles[y].depth })
	for _, arn := range b.roleOrder {
		r := b.roles[arn]
		r.Trust = policyOf(&r.trust)
		r.Inline = policyOf(&r.assume, &r.write, &r.encrypt)
		s.Roles = append(s.Roles, r.Role)
	}
	for _, arn := range slices.Sorted(maps.Keys(b.sources)) {
		src := b.sources[arn]
		src.Inline = policyOf(&src.assume)
		s.Sources = append(s.Sources, src.Source)
	}
	for _, arn := range slices.Sorted(maps.Keys(b.keys)) {
		k := b.keys[arn]
		k.Policy = policyOf(&k.admin, &k.use)
		s.Keys = append(s.Keys, k.Key)
	}
	for _, name := range slices.Sorted(maps.Keys(b.buckets)) {
		t := b.buckets[name]
		t.Policy = policyOf(&t.write, &t.plain, &t.noKMS, &t.otherKey)
		s.Buckets = append(s.Buckets, t.Bucket)
	}
	for _, arn := range slices.Sorted(maps.Keys(b.trails)) {
		slices.Sort(b.trails[arn].Objects)
		s.Trails = append(s.Trails, *b.trails[arn])
	}
	return s
}

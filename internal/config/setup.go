package config

// Setup holds the settings of `brokerctl setup`; the daemon does not use them. The
// section of the file applies to every destination, and a destination may override
// any part: see SetupOf.
type Setup struct {
	RunsAs       RunsAs         `yaml:"runs_as"`
	Boundary     string         `yaml:"boundary"`      // ARN of the managed policy that bounds the roles that setup makes; empty: none is set
	CreateBucket *bool          `yaml:"create_bucket"` // default false: the bucket is expected to be there
	AccessLogs   AccessLogs     `yaml:"access_logs"`
	Trail        string         `yaml:"trail"`     // ARN of a CloudTrail trail of account B, to record writes below the prefix; or empty
	Endpoints    SetupEndpoints `yaml:"endpoints"` // for the file, not for a destination
}

// RunsAs is the identity of the daemon's source credentials. It assumes the first
// role of a destination.
type RunsAs struct {
	Type      string `yaml:"type"`      // ec2 | ecs | pod-identity | web-identity | role | user
	Principal string `yaml:"principal"` // ARN of a role, or of a user for type user; not for web-identity
	Provider  string `yaml:"provider"`  // web-identity: ARN of the OpenID Connect provider in the role's account
	Subject   string `yaml:"subject"`   // web-identity: the token's sub, such as system:serviceaccount:NAMESPACE:NAME
	Audience  string `yaml:"audience"`  // web-identity: the token's aud; default sts.amazonaws.com
}

// The values of RunsAs.Type.
const (
	RunsEC2         = "ec2"          // an instance role
	RunsECS         = "ecs"          // a task role
	RunsPodIdentity = "pod-identity" // a role that EKS Pod Identity hands to the pod
	RunsWebIdentity = "web-identity" // an OpenID Connect token, as with EKS IRSA; no role comes before the destination's
	RunsRole        = "role"         // any other role
	RunsUser        = "user"         // an IAM user with keys
)

// AccessLogs are where the bucket's server access logs go. An empty Bucket sets none.
type AccessLogs struct {
	Bucket string `yaml:"bucket"` // in the same account and Region
	Prefix string `yaml:"prefix"`
}

// SetupEndpoints override the URLs of the services that setup alone calls.
type SetupEndpoints struct {
	IAM        string `yaml:"iam"`
	CloudTrail string `yaml:"cloudtrail"`
}

// SetupOf returns the settings of setup for a destination: its own section, completed
// by the section of the file.
func (c *Config) SetupOf(d *Destination) Setup {
	s, all := d.Setup, c.Setup
	if s.RunsAs == (RunsAs{}) {
		s.RunsAs = all.RunsAs
	}
	if s.RunsAs.Type == RunsWebIdentity && s.RunsAs.Audience == "" {
		s.RunsAs.Audience = "sts.amazonaws.com"
	}
	if s.Boundary == "" {
		s.Boundary = all.Boundary
	}
	if s.CreateBucket == nil {
		s.CreateBucket = all.CreateBucket
	}
	if s.AccessLogs == (AccessLogs{}) {
		s.AccessLogs = all.AccessLogs
	}
	if s.Trail == "" {
		s.Trail = all.Trail
	}
	s.Endpoints = all.Endpoints
	return s
}

package broker

// Request is everything that changes an AssumeRole call.
type Request = request

// Issuer makes sessions: STS, or a stand-in of it.
type Issuer = issuer

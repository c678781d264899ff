package sandbox

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// certificateLife is short, for the authority's key is gone when the process ends.
const certificateLife = 30 * 24 * time.Hour

// hostNames are the names in the leaf certificate. A wildcard covers one label:
// virtual-host-style buckets work under s3.localhost, and under the regional AWS
// names for clients whose name resolution is redirected.
func hostNames(region string) []string {
	return []string{
		"localhost", "*.localhost", "*.s3.localhost", "s3.localhost",
		"*.amazonaws.com", "*." + region + ".amazonaws.com",
		"*.s3.amazonaws.com", "*.s3." + region + ".amazonaws.com",
	}
}

// newCertificate makes an authority and a leaf that it signs. The authority's
// private key is dropped at once, so that it never signs another certificate.
func newCertificate(region string, hostIP net.IP, now time.Time) (caPEM []byte, leaf tls.Certificate, err error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, leaf, fmt.Errorf("making the authority's key: %w", err)
	}
	ca := &x509.Certificate{
		SerialNumber:          big.NewInt(now.UnixNano()),
		Subject:               pkix.Name{CommonName: "brokerd sandbox authority"},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(certificateLife),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return nil, leaf, fmt.Errorf("making the authority: %w", err)
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, leaf, fmt.Errorf("making the server's key: %w", err)
	}
	ips := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	if hostIP != nil {
		ips = append(ips, hostIP)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano() + 1),
		Subject:      pkix.Name{CommonName: "brokerd sandbox"},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(certificateLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     hostNames(region),
		IPAddresses:  ips,
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, cert, ca, leafKey.Public(), caKey)
	if err != nil {
		return nil, leaf, fmt.Errorf("making the server's certificate: %w", err)
	}
	caPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	leaf = tls.Certificate{Certificate: [][]byte{leafDER, caDER}, PrivateKey: leafKey}
	return caPEM, leaf, nil
}

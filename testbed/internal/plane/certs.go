package plane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"time"
)

// lifetime of every certificate. A test bed lives for hours; the hour before
// now forgives a clock that steps back.
const (
	lifetime = 30 * 24 * time.Hour
	leeway   = time.Hour
)

// authority is a certificate authority whose key never leaves the process
// unless it is written on purpose.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pair pair
}

// pair is a certificate with its key, both PEM.
type pair struct{ cert, key []byte }

// leaf describes a certificate to issue. Every leaf may act as a client; one
// with hosts (names or addresses) may act as a server for them too.
type leaf struct {
	name  string
	group string
	hosts []string
}

func newAuthority(name string) (*authority, error) {
	template := template(name)
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	made, err := sign(template, template, key, key)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(made.cert)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	return &authority{cert: cert, key: key, pair: made}, nil
}

func (a *authority) issue(l leaf) (pair, error) {
	template := template(l.name)
	if l.group != "" {
		template.Subject.Organization = []string{l.group}
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(l.hosts) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	for _, host := range l.hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, err
	}
	return sign(template, a.cert, key, a.key)
}

// newSigningKey makes the ES256 key that ServiceAccount tokens are signed
// with. The API server reads the public half from the same file.
func newSigningKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return encodeKey(key)
}

func template(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		// x509.CreateCertificate draws a random serial number.
		Subject:   pkix.Name{CommonName: name},
		NotBefore: now.Add(-leeway),
		NotAfter:  now.Add(lifetime),
	}
}

func sign(template, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) (pair, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		return pair{}, err
	}
	private, err := encodeKey(key)
	return pair{cert: encode("CERTIFICATE", der), key: private}, err
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	return encode("EC PRIVATE KEY", der), err
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

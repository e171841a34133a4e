package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	fresh      = time.Hour        // then the keys are asked for again
	usable     = 24 * time.Hour   // while the issuer is away
	retryAfter = 10 * time.Second // after a failure
	unknownFor = 30 * time.Second // between two questions because of a key that we do not know
	maxKeys    = 64 << 10         // bytes
)

// KeySet holds the public keys of the issuer. It asks for them when the first token comes.
type KeySet struct {
	url    string
	client *http.Client

	mu      sync.Mutex
	keys    map[string]jose.JSONWebKey
	fetched time.Time
	tried   time.Time
	unknown time.Time
}

// NewKeySet is for the issuer's keys, over TLS by the roots in caFile or, without one, those of the system.
func NewKeySet(issuer, caFile string) (*KeySet, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, err
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", caFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	client := &http.Client{Transport: transport, Timeout: 2 * time.Second}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &KeySet{url: issuer + "/.well-known/jwks.json", client: client}, nil
}

// Find returns the key of this name. The error is errNoKeys where the issuer could not be asked.
func (s *KeySet) Find(ctx context.Context, name string) (*ecdsa.PublicKey, error) {
	s.mu.Lock() // all who come meanwhile wait for the same answer
	defer s.mu.Unlock()
	now := time.Now()
	if now.Sub(s.fetched) > fresh && now.Sub(s.tried) > retryAfter {
		s.refresh(ctx, now)
	}
	key, known := s.keys[name]
	if !known && now.Sub(s.unknown) > unknownFor && now.Sub(s.tried) > retryAfter {
		s.unknown = now
		s.refresh(ctx, now)
		key, known = s.keys[name]
	}
	if s.keys == nil || now.Sub(s.fetched) > usable {
		return nil, errNoKeys
	}
	if !known {
		return nil, fmt.Errorf("the issuer publishes no key %q", name)
	}
	return key.Key.(*ecdsa.PublicKey), nil
}

// refresh asks the issuer; without a good answer, everything stays as it is.
func (s *KeySet) refresh(ctx context.Context, now time.Time) {
	s.tried = now
	keys, err := s.fetch(context.WithoutCancel(ctx)) // whoever asked first may go; others wait for this
	if err != nil {
		fmt.Fprintln(os.Stderr, "the keys could not be fetched:", err)
		return
	}
	s.keys, s.fetched = keys, now
}

func (s *KeySet) fetch(ctx context.Context) (map[string]jose.JSONWebKey, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	answer, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", s.url, answer.Status)
	}
	var set jose.JSONWebKeySet
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxKeys)).Decode(&set); err != nil {
		return nil, err
	}
	keys := make(map[string]jose.JSONWebKey)
	for _, key := range set.Keys {
		if public, ok := key.Key.(*ecdsa.PublicKey); ok && public.Curve == elliptic.P256() && key.Algorithm == string(jose.ES256) {
			keys[key.KeyID] = key
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s publishes no key that we can use", s.url)
	}
	return keys, nil
}

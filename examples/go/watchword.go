package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	longest = 8192 // characters; the server's tokens have about 700
	skew    = 60 * time.Second
	maxLife = time.Hour
)

// Caller is who sent a request: the claims of a token that passed every check. Store Account, show Username.
type Caller struct {
	Account  string `json:"sub"`
	Username string `json:"preferred_username"`
	Level    int    `json:"level"`
	Session  string `json:"sid"`
	Device   string `json:"device"`
}

// claims are those that are looked at. A list of audiences does not fit, and is refused.
type claims struct {
	Issuer    string          `json:"iss"`
	Audience  string          `json:"aud"`
	Expiry    *int64          `json:"exp"`
	IssuedAt  *int64          `json:"iat"`
	NotBefore *int64          `json:"nbf"`
	Level     *int            `json:"level"`
	Bound     json.RawMessage `json:"cnf"`
}

// Watchword checks access tokens: those of one issuer, for one audience.
type Watchword struct {
	Issuer   string // the server's origin
	Audience string // our own origin
	Keys     *KeySet
}

var errNoKeys = errors.New("the keys of the issuer cannot be had")

// Verify returns the caller that a token proves. Its errors are for our log, never for the caller.
func (w *Watchword) Verify(ctx context.Context, text string) (*Caller, error) {
	if len(text) > longest {
		return nil, errors.New("too long")
	}
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.ES256}) // never what the token says
	if err != nil {
		return nil, err
	}
	header := token.Headers[0]
	if header.ExtraHeaders[jose.HeaderType] != "at+jwt" {
		return nil, errors.New("the server signed this, but not as an access token")
	}
	key, err := w.Keys.Find(ctx, header.KeyID)
	if err != nil {
		return nil, err
	}
	var found claims
	caller := new(Caller)
	if err := token.Claims(key, &found, caller); err != nil {
		return nil, err
	}
	if err := w.check(&found, time.Now()); err != nil {
		return nil, err
	}
	if caller.Account == "" || caller.Username == "" || caller.Session == "" || caller.Device == "" {
		return nil, errors.New("of nobody")
	}
	return caller, nil
}

func (w *Watchword) check(found *claims, now time.Time) error {
	if found.Issuer != w.Issuer || found.Audience != w.Audience {
		return fmt.Errorf("of %q for %q", found.Issuer, found.Audience)
	}
	if found.Expiry == nil || found.IssuedAt == nil || found.NotBefore == nil {
		return errors.New("a time is missing")
	}
	ends, issued, begins := time.Unix(*found.Expiry, 0), time.Unix(*found.IssuedAt, 0), time.Unix(*found.NotBefore, 0)
	switch latest := now.Add(skew); {
	case !now.Add(-skew).Before(ends):
		return errors.New("expired")
	case issued.After(latest) || begins.After(latest):
		return errors.New("not good yet")
	case ends.Sub(issued) > maxLife:
		return errors.New("lives too long")
	case found.Level == nil || *found.Level < 0 || *found.Level > 9:
		return errors.New("no level")
	case found.Bound != nil:
		// Bound to a key of the caller: as a bearer token it was copied from somewhere.
		return errors.New("a bound token without its proof")
	}
	return nil
}

type callerKey struct{}

// CallerOf returns who sent a request that came through Protect.
func CallerOf(r *http.Request) *Caller {
	return r.Context().Value(callerKey{}).(*Caller)
}

// Protect lets nobody through without a good token, but to the public paths.
func (w *Watchword) Protect(next http.Handler, public ...string) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		for _, path := range public {
			if r.URL.Path == path && r.URL.RawPath == "" {
				next.ServeHTTP(out, r)
				return
			}
		}
		given := r.Header.Values("Authorization")
		if len(given) > 1 {
			w.refuse(out, http.StatusBadRequest, "malformed", "invalid_request")
			return
		}
		scheme, token, _ := strings.Cut(strings.Join(given, ""), " ")
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			w.refuse(out, http.StatusUnauthorized, "unauthenticated", "")
			return
		}
		caller, err := w.Verify(r.Context(), token)
		switch {
		case errors.Is(err, errNoKeys):
			log.Print(err)
			out.Header().Set("Retry-After", "5")
			w.refuse(out, http.StatusServiceUnavailable, "unavailable", "")
		case err != nil:
			log.Printf("token refused: %v", err)
			w.refuse(out, http.StatusUnauthorized, "unauthenticated", "invalid_token")
		default:
			next.ServeHTTP(out, r.WithContext(context.WithValue(r.Context(), callerKey{}, caller)))
		}
	})
}

// Require asks for a level on one route inside Protect.
func (w *Watchword) Require(level int, next http.HandlerFunc) http.HandlerFunc {
	return func(out http.ResponseWriter, r *http.Request) {
		if CallerOf(r).Level < level {
			w.refuse(out, http.StatusForbidden, "forbidden", "insufficient_scope")
			return
		}
		next(out, r)
	}
}

// refuse sends a problem document (RFC 9457) with the challenge of RFC 6750.
func (w *Watchword) refuse(out http.ResponseWriter, status int, code, challenge string) {
	if status < http.StatusInternalServerError {
		realm := fmt.Sprintf("Bearer realm=%q", w.Audience)
		if challenge != "" {
			realm += fmt.Sprintf(", error=%q", challenge)
		}
		out.Header().Set("WWW-Authenticate", realm)
	}
	out.Header().Set("Content-Type", "application/problem+json")
	out.Header().Set("Cache-Control", "no-store")
	out.WriteHeader(status)
	_ = json.NewEncoder(out).Encode(map[string]any{"status": status, "title": http.StatusText(status), "code": code})
}

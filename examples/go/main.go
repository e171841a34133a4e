// A service that knows who is calling, with net/http and go-jose. See the README beside it.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strings"
)

func main() {
	issuer, audience := env("WATCHWORD_ORIGIN", "https://localhost:8443"), env("APP_ORIGIN", "http://localhost:8000")
	keys, err := NewKeySet(issuer, os.Getenv("WATCHWORD_CA"))
	if err != nil {
		log.Fatal(err)
	}
	watchword := &Watchword{Issuer: issuer, Audience: audience, Keys: keys}

	routes := http.NewServeMux()
	routes.HandleFunc("GET /{$}", func(out http.ResponseWriter, r *http.Request) {
		caller := CallerOf(r)
		send(out, map[string]any{"hello": caller.Username, "account": caller.Account, "level": caller.Level})
	})
	routes.HandleFunc("GET /moderation", watchword.Require(2, func(out http.ResponseWriter, r *http.Request) {
		send(out, map[string]any{"moderator": CallerOf(r).Username})
	}))
	routes.HandleFunc("GET /health", func(out http.ResponseWriter, _ *http.Request) {
		send(out, map[string]any{"ok": true})
	})

	address := strings.TrimPrefix(audience, "http://")
	log.Printf("listening on %s", audience)
	log.Fatal(http.ListenAndServe(address, watchword.Protect(routes, "/health")))
}

func send(out http.ResponseWriter, body map[string]any) {
	out.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(out).Encode(body)
}

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

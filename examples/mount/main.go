// Command mount serves S3 below /s3, beside the application's own pages.
//
//	go run ./examples/mount
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/embedded"
	"github.com/vaultaire/vaultaire/s3compat"
	"github.com/vaultaire/vaultaire/tenant"
)

func main() {
	ctx := context.Background()
	eng, err := embedded.Open(ctx, "data")
	if err != nil {
		log.Fatal(err)
	}
	defer eng.Close(ctx)
	handler, err := newHandler(eng)
	if err != nil {
		log.Fatal(err)
	}
	log.Println("pages at http://127.0.0.1:8080/, S3 at http://127.0.0.1:8080/s3")
	log.Println(http.ListenAndServe("127.0.0.1:8080", handler))
}

// newHandler returns the application with the S3 endpoint mounted.
func newHandler(eng *engine.Engine) (http.Handler, error) {
	s3, err := s3compat.New(eng, s3compat.WithCredentials(s3compat.StaticCredentials(
		s3compat.Credential{
			AccessKey: "EXAMPLEKEY",
			SecretKey: "example-secret", // yours comes from where you keep secrets
			Tenant:    "acme",
			Principal: tenant.Principal{ID: "app"},
		},
	)))
	if err != nil {
		return nil, err
	}
	app := http.NewServeMux()
	app.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "This is the application.")
	})
	// In front of the mux, not in it: a mux redirects paths such as /s3/b/a//b
	// to their clean form, which names another key.
	return s3compat.Mount("/s3", s3, app), nil
}

package s3compat_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/vaultaire/vaultaire/driver/memory"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
	"github.com/vaultaire/vaultaire/s3compat"
	"github.com/vaultaire/vaultaire/tenant"
)

func Example() {
	ctx := context.Background()
	store, err := pebblestore.OpenMemory(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	eng, err := engine.New(ctx, engine.WithCatalog(store), engine.WithDriver("memory", memory.New()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = eng.Close(ctx) }()

	s3, err := s3compat.New(eng, s3compat.WithCredentials(s3compat.StaticCredentials(s3compat.Credential{
		AccessKey: "AKEXAMPLE",
		SecretKey: "keep-this-to-yourself",
		Tenant:    "default",
		Principal: tenant.Principal{ID: "alice"},
	})))
	if err != nil {
		fmt.Println(err)
		return
	}
	app := http.NewServeMux()
	app.HandleFunc("/hello", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello from the application") })

	server := httptest.NewServer(s3compat.Mount("/s3", s3, app))
	defer server.Close()
	for _, path := range []string{"/hello", "/s3/bucket/key"} {
		res, err := http.Get(server.URL + path)
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = res.Body.Close()
		fmt.Println(path, res.StatusCode) // nobody has signed the second
	}
	// Output:
	// /hello 200
	// /s3/bucket/key 403
}

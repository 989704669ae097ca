package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vaultaire/vaultaire/s3compat"
	"github.com/vaultaire/vaultaire/tenant"
)

// A credential is one entry of a credentials file.
type credential struct {
	AccessKey   string `json:"access_key"`
	SecretKey   string `json:"secret_key"`
	Tenant      string `json:"tenant"`
	Principal   string `json:"principal"`
	DisplayName string `json:"display_name,omitempty"`
	Admin       bool   `json:"admin,omitempty"`
}

// keys are the credentials that the server accepts, and what of them may be
// shown to the person who started it.
type keys struct {
	source    s3compat.CredentialSource
	accessKey string // of the first credential
	secretKey string // of the first credential if the server made it, else ""
	file      string // where the server keeps what it made, else ""
}

// givenKeys returns the credentials that the command line names, if it does.
func (cfg *config) givenKeys() (k keys, given bool, err error) {
	var list []credential
	switch {
	case cfg.accessKey != "":
		list = []credential{{
			AccessKey: cfg.accessKey, SecretKey: cfg.secretKey,
			Tenant: string(tenant.Default), Principal: cfg.accessKey, Admin: true,
		}}
	case cfg.credentials != "":
		if list, err = readCredentials(cfg.credentials); err != nil {
			return keys{}, false, err
		}
	default:
		return keys{}, false, nil
	}
	return newKeys(list), true, nil
}

// ownKeys returns the credentials that the first start made and kept in the
// directory, which exists.
func (cfg *config) ownKeys() (keys, error) {
	file := filepath.Join(cfg.dir, "credentials.json")
	list, err := readCredentials(file)
	if errors.Is(err, fs.ErrNotExist) {
		list, err = makeCredentials(file)
	}
	if err != nil {
		return keys{}, err
	}
	k := newKeys(list)
	k.secretKey, k.file = list[0].SecretKey, file
	return k, nil
}

// newKeys returns the keys of a list that is not empty.
func newKeys(list []credential) keys {
	credentials := make([]s3compat.Credential, len(list))
	for i, c := range list {
		credentials[i] = s3compat.Credential{
			AccessKey: c.AccessKey,
			SecretKey: c.SecretKey,
			Tenant:    tenant.ID(c.Tenant),
			Principal: tenant.Principal{ID: c.Principal, DisplayName: c.DisplayName, Admin: c.Admin},
		}
	}
	return keys{source: s3compat.StaticCredentials(credentials...), accessKey: list[0].AccessKey}
}

func readCredentials(file string) ([]credential, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var list []credential
	if err := dec.Decode(&list); err != nil {
		return nil, fmt.Errorf("%s: not a list of credentials: %w", file, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("%s: something stands behind the list of credentials", file)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: the list of credentials is empty", file)
	}
	return list, nil
}

// makeCredentials makes the keys of the first start and keeps them in file,
// which appears whole or not at all and only the owner can read.
func makeCredentials(file string) ([]credential, error) {
	list := []credential{{
		AccessKey: "VLT" + rand.Text()[:17],
		SecretKey: randomSecret(),
		Tenant:    string(tenant.Default),
		Principal: "owner",
		Admin:     true,
	}}
	b, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return nil, err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".credentials-*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name()) // fails once the file has its final name
	_, err = tmp.Write(append(b, '\n'))
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return nil, err
	}
	return list, os.Rename(tmp.Name(), file)
}

func randomSecret() string {
	b := make([]byte, 30)
	rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

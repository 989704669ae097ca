// Package e2e holds tests only: they run the server of examples/server as a
// process of its own and talk to it as its users do, with clients that nobody
// here wrote.
//
// It is a module of its own so that what it needs, Amazon's SDK above all, stays
// out of the builds of those who embed the engine. It sits below s3compat to
// share the signer of s3compat's own tests.
//
// The command line clients aws, s3cmd and rclone are used where they are
// installed; where one is missing its tests are skipped, unless CI=true is in
// the environment.
package e2e

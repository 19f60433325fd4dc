// Package deploy is what runs and watches Dragg elsewhere: an image, a cluster for docker compose, manifests for Kubernetes, alert
// rules for Prometheus and a dashboard for Grafana. The package itself holds only tests: that the files are well formed, name only
// metrics that docs/metrics.md has and flags that the commands have, and know every family's labels.
package deploy

package deploy

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"dragg/cmd/command"
)

// parse has the command that args name parse its flags.
func parse(args []string, env map[string]string) error {
	if len(args) == 0 {
		return fmt.Errorf("no arguments")
	}
	root := command.Root()
	cmd, rest, err := root.Find(args)
	if err != nil || cmd == root {
		return fmt.Errorf("there is no command %q: %w", args[0], err)
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return fmt.Errorf("%v: %w", args, err)
	}
	if left := cmd.Flags().Args(); len(left) > 0 {
		return fmt.Errorf("%v: what is %q?", args, left)
	}
	return environment(cmd, env)
}

// environment checks that variables of ours set flags that there are.
func environment(cmd *cobra.Command, env map[string]string) error {
	for name := range env {
		flag, ours := strings.CutPrefix(name, "DRAGG_")
		if flag = strings.ToLower(strings.ReplaceAll(flag, "_", "-")); ours && cmd.Flags().Lookup(flag) == nil {
			return fmt.Errorf("%s sets no flag of %s", name, cmd.Name())
		}
	}
	return nil
}

// plain are names of images without a registry's host.
var plain = regexp.MustCompile(`^([a-z]+/)?[a-z]+:[a-z0-9.]+$`)

// Every node of the compose file is run by flags that its command has, keeps its data in a volume that is declared, and there are
// three Zeros and six Alphas, each of which names all Zeros in the same order and itself.
func TestCompose(t *testing.T) {
	file := documents(t, "docker-compose.yml")[0]
	services, _ := at(file, "services").(object)
	counts, all := map[string]int{}, ""
	for name, s := range services {
		if image, ok := at(s, "image").(string); ok && !plain.MatchString(image) {
			t.Errorf("%s: the image is %q", name, image)
		}
		args := texts(at(s, "command"))
		if len(args) == 0 {
			continue
		}
		counts[args[0]]++
		if err := parse(args, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		zeros := args[slices.IndexFunc(args, func(a string) bool { return a == "--zeros" || a == "--zero" })+1]
		if all == "" {
			all = zeros
		}
		if zeros != all {
			t.Errorf("%s names the Zeros %s, others %s", name, zeros, all)
		}
		if my := args[slices.Index(args, "--my")+1]; !strings.HasPrefix(my, name+":") {
			t.Errorf("%s says that it is %s", name, my)
		}
		volume, _, _ := strings.Cut(fmt.Sprint(at(s, "volumes", 0)), ":")
		if declared, _ := at(file, "volumes").(object); volume != name || declared[volume] == nil {
			t.Errorf("%s keeps its data in %q", name, volume)
		}
		if _, ok := services[name].(object)["restart"]; !ok {
			t.Errorf("%s is not started again when it ends", name)
		}
	}
	if counts["zero"] != 3 || counts["alpha"] != 6 {
		t.Errorf("%v", counts)
	}
	for _, file := range []string{"prometheus", "alerts"} {
		documents(t, "prometheus", file+".yml")
	}
	documents(t, "grafana", "provisioning", "datasources", "prometheus.yml")
	documents(t, "grafana", "provisioning", "dashboards", "dragg.yml")
}

// Prometheus scrapes every node of the compose file.
func TestEveryNodeIsScraped(t *testing.T) {
	services, _ := at(documents(t, "docker-compose.yml")[0], "services").(object)
	jobs, _ := at(documents(t, "prometheus", "prometheus.yml")[0], "scrape_configs").([]any)
	scraped := map[string]bool{}
	for _, j := range jobs {
		for _, target := range texts(at(j, "static_configs", 0, "targets")) {
			scraped[target] = true
		}
	}
	for name := range services {
		for kind, port := range map[string]string{"zero": "6080", "alpha": "8080"} {
			if strings.HasPrefix(name, kind) && !scraped[name+":"+port] {
				t.Errorf("%s is not scraped", name)
			}
		}
	}
}

// Goal: the manifests hang together. Method: for each StatefulSet, its service has no address of its own and names nodes that are
// not ready yet; a budget leaves a majority; it is asked whether it is ready, and runs without rights; its flags exist; its ports are
// those of its services.
func TestKubernetes(t *testing.T) {
	for _, name := range []string{"zero", "alpha"} {
		t.Run(name, func(t *testing.T) {
			kinds := map[string][]object{}
			for _, d := range documents(t, "kubernetes", name+".yaml") {
				kind, _ := at(d, "kind").(string)
				kinds[kind] = append(kinds[kind], d)
			}
			if len(kinds["StatefulSet"]) != 1 || len(kinds["PodDisruptionBudget"]) != 1 || len(kinds["Service"]) == 0 {
				t.Fatalf("%v", kinds)
			}
			set := kinds["StatefulSet"][0]
			checkNode(t, set)
			labels := fmt.Sprint(at(set, "spec", "template", "metadata", "labels"))
			budget := kinds["PodDisruptionBudget"][0]
			if at(budget, "spec", "maxUnavailable") != 1 || fmt.Sprint(at(budget, "spec", "selector", "matchLabels")) != labels {
				t.Errorf("the budget is %v", at(budget, "spec"))
			}
			if fmt.Sprint(at(set, "spec", "selector", "matchLabels")) != labels {
				t.Errorf("the set selects %v", at(set, "spec", "selector"))
			}
			headless := false
			for _, s := range kinds["Service"] {
				if fmt.Sprint(at(s, "spec", "selector")) != labels {
					t.Errorf("service %v selects %v", at(s, "metadata", "name"), at(s, "spec", "selector"))
				}
				checkPorts(t, s, set)
				if at(s, "metadata", "name") == at(set, "spec", "serviceName") {
					headless = at(s, "spec", "clusterIP") == "None" && at(s, "spec", "publishNotReadyAddresses") == true
				}
			}
			if !headless {
				t.Error("the set has no headless service that names nodes which are not ready")
			}
		})
	}
}

// checkNode checks the container of a set.
func checkNode(t *testing.T, set object) {
	t.Helper()
	pod := at(set, "spec", "template", "spec")
	container := at(pod, "containers", 0)
	if image, _ := at(container, "image").(string); !plain.MatchString(image) {
		t.Errorf("the image is %q", image)
	}
	env := map[string]string{}
	list, _ := at(container, "env").([]any)
	for _, e := range list {
		env[fmt.Sprint(at(e, "name"))] = ""
	}
	args := texts(at(container, "args"))
	if err := parse(args, env); err != nil {
		t.Error(err)
	}
	for _, used := range regexp.MustCompile(`\$\((\w+)\)`).FindAllStringSubmatch(strings.Join(args, " "), -1) {
		if _, ok := env[used[1]]; !ok {
			t.Errorf("%s is not in the environment", used[1])
		}
	}
	if at(set, "spec", "podManagementPolicy") != "Parallel" {
		t.Error("no node is ready before a majority of them runs: they must be started at the same time")
	}
	if at(container, "readinessProbe", "httpGet", "path") != "/ready" {
		t.Errorf("readiness is %v", at(container, "readinessProbe"))
	}
	if at(pod, "securityContext", "runAsNonRoot") != true || at(container, "securityContext", "readOnlyRootFilesystem") != true ||
		at(container, "securityContext", "allowPrivilegeEscalation") != false {
		t.Error("the node has more rights than it needs")
	}
	if mount := at(container, "volumeMounts", 0, "mountPath"); mount != "/data" || !slices.Contains(args, "--data=/data") ||
		at(set, "spec", "volumeClaimTemplates", 0, "metadata", "name") != at(container, "volumeMounts", 0, "name") {
		t.Errorf("the data lies elsewhere than on the volume at %v", mount)
	}
}

// checkPorts checks that what a service offers the container has.
func checkPorts(t *testing.T, service, set object) {
	t.Helper()
	has := map[any]bool{}
	open, _ := at(set, "spec", "template", "spec", "containers", 0, "ports").([]any)
	for _, p := range open {
		has[at(p, "containerPort")] = true
	}
	offered, _ := at(service, "spec", "ports").([]any)
	for _, p := range offered {
		if !has[at(p, "port")] {
			t.Errorf("service %v offers %v", at(service, "metadata", "name"), p)
		}
	}
}

// The Zeros' manifest numbers its pods as --idx counts, and lists as many Zeros as it starts.
func TestZerosAreNumbered(t *testing.T) {
	for _, d := range documents(t, "kubernetes", "zero.yaml") {
		if at(d, "kind") != "StatefulSet" {
			continue
		}
		n, _ := at(d, "spec", "replicas").(int)
		args := texts(at(d, "spec", "template", "spec", "containers", 0, "args"))
		list := args[slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "--zeros=") })]
		if at(d, "spec", "ordinals", "start") != 1 || len(strings.Split(list, ",")) != n {
			t.Errorf("%d pods from %v on are %s", n, at(d, "spec", "ordinals"), list)
		}
		for i := 1; i <= n; i++ {
			if want := fmt.Sprintf("dragg-zero-%d.dragg-zero:5080", i); !strings.Contains(list, want) {
				t.Errorf("%s is not in %s", want, list)
			}
		}
	}
}

// The image is built in one stage and runs in another without a user's rights, from images without a registry's host.
func TestDockerfile(t *testing.T) {
	text, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	from := regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(string(text), -1)
	if len(from) != 2 || !plain.MatchString(from[0][1]) || from[1][1] != "scratch" {
		t.Errorf("it is built from %v", from)
	}
	user := regexp.MustCompile(`(?m)^USER (\d+)`).FindStringSubmatch(string(text))
	if user == nil || user[1] == "0" {
		t.Errorf("it runs as %v", user)
	}
	if !strings.Contains(string(text), "CGO_ENABLED=0") {
		t.Error("the program is not static")
	}
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if v := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(mod)); v == nil || from[0][1] != "golang:"+v[1] {
		t.Errorf("it is built by %s, go.mod asks for %v", from[0][1], v)
	}
}

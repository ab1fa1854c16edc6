// Command prometheus is of a Prometheus what asks Kubernetes for targets, by its own code: Debian's
// Prometheus has none.
//
// It reads a configuration, and keeps a file of targets (`file_sd_configs`) in the folder that it is
// told, for each job with `kubernetes_sd_configs`.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	registry "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/kubernetes"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"gopkg.in/yaml.v2"
)

// group is what Prometheus reads of a file of targets (`file_sd_configs`).
type group struct {
	Targets []model.LabelValue `json:"targets"`
	Labels  model.LabelSet     `json:"labels"`
}

// keep does not return, unless with an error.
func keep(input io.Reader, folder string) error {
	var configuration struct {
		Jobs []struct {
			Name      string                 `yaml:"job_name"`
			Discovery []*kubernetes.SDConfig `yaml:"kubernetes_sd_configs"`
		} `yaml:"scrape_configs"`
	}
	text, err := io.ReadAll(input)
	if err != nil {
		return err
	}
	if err := yaml.Unmarshal(text, &configuration); err != nil {
		return err
	}
	wanted := map[string]discovery.Configs{}
	for _, job := range configuration.Jobs {
		for _, one := range job.Discovery {
			wanted[job.Name] = append(wanted[job.Name], one)
		}
	}
	ctx, log := context.Background(), slog.New(slog.NewTextHandler(os.Stderr, nil))
	metrics := registry.NewRegistry()
	found, err := discovery.CreateAndRegisterSDMetrics(metrics)
	if err != nil {
		return err
	}
	manager := discovery.NewManager(ctx, log, metrics, found)
	if err := manager.ApplyConfig(wanted); err != nil {
		return err
	}
	go manager.Run()
	for jobs := range manager.SyncCh() {
		for name, groups := range jobs {
			if err := write(filepath.Join(folder, file(name)), groups); err != nil {
				return err
			}
		}
	}
	return nil
}

func file(job string) string { return strings.ReplaceAll(job, "/", "_") + ".json" }

func write(path string, found []*targetgroup.Group) error {
	groups := []group{}
	for _, one := range found {
		for _, target := range one.Targets {
			labels := one.Labels.Merge(target)
			delete(labels, model.AddressLabel)
			address := target[model.AddressLabel]
			groups = append(groups, group{[]model.LabelValue{address}, labels})
		}
	}
	text, err := json.Marshal(groups)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", text, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func main() {
	if err := keep(os.Stdin, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

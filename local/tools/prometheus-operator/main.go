// Command prometheus-operator prints what prometheus-operator gives to a Prometheus, by its own code.
//
// It reads a List of objects (`kubectl get … -o json`): one Prometheus, and the Namespaces,
// ServiceMonitors, PodMonitors and PrometheusRules that it may select. It prints an object with
// `configuration`, and `rules` by the name of their file. An object that the operator would refuse
// is an error.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus-operator/prometheus-operator/pkg/assets"
	"github.com/prometheus-operator/prometheus-operator/pkg/operator"
	"github.com/prometheus-operator/prometheus-operator/pkg/prometheus"
	registry "github.com/prometheus/client_golang/prometheus"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/yaml"
)

// objects are those of the list, by kind.
type objects struct {
	prometheus *monitoring.Prometheus
	namespaces []*core.Namespace
	services   []*monitoring.ServiceMonitor
	pods       []*monitoring.PodMonitor
	rules      []*monitoring.PrometheusRule
}

func read(input io.Reader) (found objects, err error) {
	var list struct{ Items []json.RawMessage }
	if err := json.NewDecoder(input).Decode(&list); err != nil {
		return found, err
	}
	for _, item := range list.Items {
		var kind meta.TypeMeta
		if err := json.Unmarshal(item, &kind); err != nil {
			return found, err
		}
		switch kind.Kind {
		case monitoring.PrometheusesKind:
			err = json.Unmarshal(item, &found.prometheus)
		case "Namespace":
			err = add(item, &found.namespaces)
		case monitoring.ServiceMonitorsKind:
			err = add(item, &found.services)
		case monitoring.PodMonitorsKind:
			err = add(item, &found.pods)
		case monitoring.PrometheusRuleKind:
			err = add(item, &found.rules)
		default:
			err = fmt.Errorf("kind %q is not read", kind.Kind)
		}
		if err != nil {
			return found, err
		}
	}
	if found.prometheus == nil {
		return found, errors.New("the list has no Prometheus")
	}
	return found, nil
}

func add[T any](item json.RawMessage, list *[]*T) error {
	object := new(T)
	*list = append(*list, object)
	return json.Unmarshal(item, object)
}

// listed is how a selector sees the objects of one kind.
func listed[T meta.Object](items []T) prometheus.ListAllByNamespaceFn {
	return func(namespace string, selector labels.Selector, found cache.AppendFunc) error {
		for _, item := range items {
			if item.GetNamespace() == namespace && selector.Matches(labels.Set(item.GetLabels())) {
				found(item)
			}
		}
		return nil
	}
}

func configuration(given objects) ([]byte, error) {
	ctx, log := context.Background(), slog.New(slog.NewTextHandler(os.Stderr, nil))
	namespaces := cache.NewSharedIndexInformer(&cache.ListWatch{}, &core.Namespace{}, 0, cache.Indexers{})
	for _, namespace := range given.namespaces {
		if err := namespaces.GetStore().Add(namespace); err != nil {
			return nil, err
		}
	}
	// No monitor of ours refers to a Secret or a ConfigMap.
	store := assets.NewTestStoreBuilder()
	metrics := operator.NewMetrics(registry.NewRegistry())
	events := record.NewFakeRecorder(len(given.services) + len(given.pods))
	selector, err := prometheus.NewResourceSelector(
		log, given.prometheus, store, namespaces, metrics, events,
	)
	if err != nil {
		return nil, err
	}
	services, err := selector.SelectServiceMonitors(ctx, listed(given.services))
	if err != nil {
		return nil, err
	}
	pods, err := selector.SelectPodMonitors(ctx, listed(given.pods))
	if err != nil {
		return nil, err
	}
	if len(events.Events) > 0 {
		return nil, errors.New(<-events.Events)
	}
	generator, err := prometheus.NewConfigGenerator(
		log, given.prometheus, prometheus.WithEndpointSliceSupport(),
	)
	if err != nil {
		return nil, err
	}
	return generator.GenerateServerConfiguration(
		given.prometheus, services.ValidResources(), pods.ValidResources(),
		nil, nil, store, nil, nil, nil, nil,
	)
}

func rules(given objects) (map[string]string, error) {
	selector, err := meta.LabelSelectorAsSelector(given.prometheus.Spec.RuleSelector)
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for _, rule := range given.rules {
		if !selector.Matches(labels.Set(rule.Labels)) {
			continue
		}
		if err := errors.Join(operator.ValidateRule(rule.Spec)...); err != nil {
			return nil, fmt.Errorf("%s/%s: %w", rule.Namespace, rule.Name, err)
		}
		content, err := yaml.Marshal(rule.Spec)
		if err != nil {
			return nil, err
		}
		files[fmt.Sprintf("%s-%s.yaml", rule.Namespace, rule.Name)] = string(content)
	}
	return files, nil
}

func run() error {
	given, err := read(os.Stdin)
	if err != nil {
		return err
	}
	text, err := configuration(given)
	if err != nil {
		return err
	}
	files, err := rules(given)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(
		map[string]any{"configuration": string(text), "rules": files},
	)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

package main

import (
	"encoding/json"
	"fmt"
	"sort"
	"sync"
	"time"

	"istio.io/istio/pilot/pkg/config/kube/gateway"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/status"
	"istio.io/istio/pkg/config"
)

type objectStatus struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Status    any    `json:"status"`
}

func statuses(raw []json.RawMessage) ([]objectStatus, error) {
	objects, err := readObjects(raw)
	if err != nil {
		return nil, err
	}
	written := &statusStore{last: map[string]objectStatus{}}
	err = inMesh(objects, func(m *mesh) error {
		controller, ok := m.server.Env().GatewayAPIController.(*gateway.Controller)
		if !ok {
			return fmt.Errorf("no controller of the Gateway API")
		}
		controller.SetStatusWrite(true, status.NewManager(written))
		defer controller.SetStatusWrite(false, nil)
		written.settle()
		return nil
	})
	return written.sorted(objects.given), err
}

// statusStore takes what istiod would write to the API server.
type statusStore struct {
	model.ConfigStore
	mu     sync.Mutex
	writes int
	last   map[string]objectStatus
}

func (s *statusStore) Get(kind config.GroupVersionKind, name, namespace string) *config.Config {
	return &config.Config{Meta: config.Meta{GroupVersionKind: kind, Name: name, Namespace: namespace}}
}

func (s *statusStore) UpdateStatus(written config.Config) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	s.last[written.Key()] = objectStatus{written.GroupVersionKind.Kind, written.Namespace, written.Name, written.Status}
	return "", nil
}

// settle waits until nothing more is written: istiod does not tell when it is done.
func (s *statusStore) settle() {
	const quiet, interval = 10, 10 * time.Millisecond
	for same, before := 0, -1; same < quiet; time.Sleep(interval) {
		s.mu.Lock()
		writes := s.writes
		s.mu.Unlock()
		if writes == before {
			same++
		} else {
			same, before = 0, writes
		}
	}
}

// sorted leaves out the objects istiod makes itself, such as its GatewayClasses.
func (s *statusStore) sorted(given map[objectName]bool) []objectStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]objectStatus, 0, len(s.last))
	for _, one := range s.last {
		if given[objectName{gatewayAPIGroup, one.Kind, one.Namespace, one.Name}] {
			all = append(all, one)
		}
	}
	sort.Slice(all, func(i, j int) bool {
		a, b := all[i], all[j]
		if a.Kind != b.Kind {
			return a.Kind < b.Kind
		}
		if a.Namespace != b.Namespace {
			return a.Namespace < b.Namespace
		}
		return a.Name < b.Name
	})
	return all
}

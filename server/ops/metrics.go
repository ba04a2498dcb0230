package ops

import (
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"trio/crdt/wire"
	"trio/server/store"
)

// Metrics counts what one server does. Make it with NewMetrics.
type Metrics struct {
	registry *prometheus.Registry

	sockets     prometheus.Gauge
	turnedAway  prometheus.Counter
	silent      prometheus.Counter
	received    prometheus.Counter
	sent        prometheus.Counter
	requests    *prometheus.CounterVec   // route, status
	seconds     *prometheus.HistogramVec // route
	limited     *prometheus.CounterVec   // limit
	connRefused *prometheus.CounterVec   // code
	stored      prometheus.Counter
	duplicates  prometheus.Counter
	refused     *prometheus.CounterVec // code
	push        prometheus.Histogram
	pushFailed  *prometheus.CounterVec // reason
	served      prometheus.Counter
	fits        *prometheus.CounterVec // outcome
	night       prometheus.Gauge
	nightAt     prometheus.Gauge
	notices     *prometheus.CounterVec // kind, outcome
}

// NewMetrics returns metrics that are all zero, beside those of the Go runtime and of the process.
func NewMetrics() *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "trio_" + name, Help: help})
	}
	counters := func(name, help, label string, more ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "trio_" + name, Help: help}, append([]string{label}, more...))
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		sockets: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "trio_connections", Help: "Open TCP connections of the public listener, WebSockets included.",
		}),
		turnedAway:  counter("connections_dropped_total", "TCP connections closed unread because too many were open."),
		silent:      counter("connections_unproved_total", "TCP connections closed because their network had too many that showed no valid token."),
		received:    counter("received_bytes_total", "Bytes read from the public listener's connections, TLS included."),
		sent:        counter("sent_bytes_total", "Bytes written to the public listener's connections, TLS included."),
		requests:    counters("http_requests_total", "HTTP requests answered, by route and status; 101 is a device that connected.", "route", "status"),
		limited:     counters("requests_limited_total", "HTTP requests refused for a limit, by limit.", "limit"),
		connRefused: counters("device_refusals_total", "Device connections refused or ended by the server, by the protocol's code.", "code"),
		stored:      counter("changes_stored_total", "New changes made durable."),
		duplicates:  counter("changes_duplicate_total", "Changes pushed that were stored before."),
		refused:     counters("changes_refused_total", "Changes that the store refused, by the protocol's code.", "code"),
		pushFailed:  counters("pushes_failed_total", "Pushes that the store did not take, by reason; devices push them again.", "reason"),
		served:      counter("feed_records_total", "Feed records read for companies."),
		notices:     counters("notices_total", "Notices to devices, by kind and by what became of them.", "kind", "outcome"),
		fits:        counters("playbook_fits_total", "Companies whose playbook a night looked at, by what became of it.", "outcome"),
		night: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "trio_playbook_night_seconds", Help: "How long the last night took that fitted playbooks, all companies.",
		}),
		nightAt: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "trio_playbook_night_end_timestamp_seconds", Help: "When it ended, in seconds since 1970; 0: there was none since the start.",
		}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "trio_http_request_seconds", Help: "Time to answer an HTTP request, by route; requests that wait for news included.",
			Buckets: []float64{.001, .005, .025, .1, .5, 2.5, 10, 30},
		}, []string{"route"}),
		push: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "trio_push_seconds", Help: "Time from a push being handed to the store until it is on disk.",
			Buckets: []float64{.001, .002, .004, .008, .016, .032, .064, .125, .25, .5, 1, 4},
		}),
	}
	// What has happened never is told as zero, not as missing.
	for _, limit := range []string{limitConnections, limitStrangers, limitDevice, limitCompany, limitBody} {
		m.limited.WithLabelValues(limit)
	}
	for _, code := range wire.Codes() {
		if code >= wire.CodeActor {
			m.refused.WithLabelValues(code.String())
		} else if code != wire.CodeShutdown { // which refuses nothing
			m.connRefused.WithLabelValues(code.String())
		}
	}
	for _, reason := range []string{reasonBusy, reasonFull, reasonQuota, reasonOther} {
		m.pushFailed.WithLabelValues(reason)
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "trio_build_info", Help: "1, with the build's version, revision and Go version as labels.", ConstLabels: buildLabels(),
	})
	info.Set(1)
	m.registry.MustRegister(
		m.sockets, m.turnedAway, m.silent, m.received, m.sent, m.requests, m.seconds, m.limited, m.connRefused, m.stored, m.duplicates,
		m.refused, m.push, m.pushFailed, m.served, m.fits, m.night, m.nightAt, m.notices, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Watch has a gauge read from a function each time the metrics are scraped.
func (m *Metrics) Watch(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "trio_" + name, Help: help}, read))
}

// WatchStore has how a store does as metrics, by one look each time they are scraped.
func (m *Metrics) WatchStore(stats func() store.Stats) {
	m.registry.MustRegister(&storeStats{stats})
}

type storeStats struct{ read func() store.Stats }

var (
	descQueued  = prometheus.NewDesc("trio_store_queue", "Writes that wait for the store.", nil, nil)
	descGroups  = prometheus.NewDesc("trio_store_commits_total", "Transactions committed; one takes many writes.", nil, nil)
	descPushes  = prometheus.NewDesc("trio_store_pushes_total", "Pushes in committed transactions.", nil, nil)
	descChanges = prometheus.NewDesc("trio_store_changes_total", "New changes in committed transactions.", nil, nil)
	descSlowest = prometheus.NewDesc("trio_store_slowest_commit_seconds", "Longest commit since the metrics were last read.", nil, nil)
)

func (*storeStats) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descQueued, descGroups, descPushes, descChanges, descSlowest} {
		to <- d
	}
}

func (c *storeStats) Collect(to chan<- prometheus.Metric) {
	s := c.read()
	to <- prometheus.MustNewConstMetric(descQueued, prometheus.GaugeValue, float64(s.Queued))
	to <- prometheus.MustNewConstMetric(descGroups, prometheus.CounterValue, float64(s.Groups))
	to <- prometheus.MustNewConstMetric(descPushes, prometheus.CounterValue, float64(s.Pushes))
	to <- prometheus.MustNewConstMetric(descChanges, prometheus.CounterValue, float64(s.Changes))
	to <- prometheus.MustNewConstMetric(descSlowest, prometheus.GaugeValue, s.Slowest.Seconds())
}

// WatchFile has the size of a file as a gauge in bytes; a file that is not there has none.
func (m *Metrics) WatchFile(name, help, path string) {
	m.Watch(name, help, func() float64 {
		info, err := os.Stat(path)
		if err != nil {
			return 0
		}
		return float64(info.Size())
	})
}

// FitOutcomes says what can become of a company's night, so that what has happened never is told as zero.
func (m *Metrics) FitOutcomes(outcomes ...string) {
	for _, o := range outcomes {
		m.fits.WithLabelValues(o)
	}
}

// Fitted counts what became of a company's night.
func (m *Metrics) Fitted(outcome string) { m.fits.WithLabelValues(outcome).Inc() }

// NightEnded notes how long a night took that has just ended.
func (m *Metrics) NightEnded(took time.Duration) {
	m.night.Set(took.Seconds())
	m.nightAt.SetToCurrentTime()
}

// NoticeOutcomes says what notices there are and what can become of one, so that what has happened never is told as zero.
func (m *Metrics) NoticeOutcomes(kinds, outcomes []string) {
	for _, k := range kinds {
		for _, o := range outcomes {
			m.notices.WithLabelValues(k, o)
		}
	}
}

// Noticed counts what became of a notice to a device.
func (m *Metrics) Noticed(kind, outcome string) { m.notices.WithLabelValues(kind, outcome).Inc() }

// Handler serves the metrics in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *Metrics) answered(route string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

// CountRefusal counts that a device was refused.
func (m *Metrics) CountRefusal(code wire.Code) { m.connRefused.WithLabelValues(code.String()).Inc() }

// Build says which build of the program this is.
type Build struct{ Version, Revision, Time, Go string }

// ThisBuild reads it from the program. Revision and Time are empty in a build that was not made in a checkout.
func ThisBuild() Build {
	b := Build{Version: "unknown"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version, b.Go = info.Main.Version, info.GoVersion
	modified := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			modified = s.Value == "true"
		}
	}
	if modified {
		b.Revision += "+changes"
	}
	return b
}

func buildLabels() prometheus.Labels {
	b := ThisBuild()
	return prometheus.Labels{"version": b.Version, "revision": b.Revision, "go_version": b.Go}
}

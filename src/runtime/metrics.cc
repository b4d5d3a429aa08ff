#include "runtime/metrics.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/check.h"

namespace modelmill {
namespace {

/// Numbers kept by someone else.
struct NumberSource {
  std::function<double()> read;
};
struct HistogramSource {
  std::vector<double> bounds;
  std::function<HistogramValue()> read;
};
struct SummarySource {
  std::function<SummaryValue()> read;
};

void append_number(std::string& out, double value) {
  char buffer[40];
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else if (std::nearbyint(value) == value && std::abs(value) < 9e18) {
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, static_cast<int64_t>(value)).ptr;
    out.append(buffer, end);
  } else {
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
    out.append(buffer, end);
  }
}

/// Backslash and newline are escaped everywhere, quotes in label values only.
void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

std::string label_text(const MetricLabels& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    if (!out.empty()) out += ',';
    out += name;
    out += "=\"";
    append_escaped(out, value, true);
    out += '"';
  }
  return out;
}

/// A label whose value is a number: the bound of a histogram's bucket, or which quantile of a summary.
struct NumberLabel {
  std::string_view name;
  double value = 0;
};

/// `suffix` is that of a histogram's or summary's parts; `more` is a last label, or null.
void append_sample(std::string& out, std::string_view name, std::string_view suffix, std::string_view labels,
                   const NumberLabel* more, double value) {
  out += name;
  out += suffix;
  if (!labels.empty() || more) {
    out += '{';
    out += labels;
    if (more) {
      if (!labels.empty()) out += ',';
      out.append(more->name).append("=\"");
      append_number(out, more->value);
      out += '"';
    }
    out += '}';
  }
  out += ' ';
  append_number(out, value);
  out += '\n';
}

void append_histogram(std::string& out, std::string_view name, std::string_view labels, std::span<const double> bounds,
                      const HistogramValue& value) {
  uint64_t total = 0;
  for (size_t i = 0; i <= bounds.size(); ++i) {
    total += i < value.counts.size() ? value.counts[i] : 0;
    const NumberLabel le{"le", i < bounds.size() ? bounds[i] : INFINITY};
    append_sample(out, name, "_bucket", labels, &le, static_cast<double>(total));
  }
  append_sample(out, name, "_sum", labels, nullptr, value.sum);
  append_sample(out, name, "_count", labels, nullptr, static_cast<double>(total));
}

void append_summary(std::string& out, std::string_view name, std::string_view labels, const SummaryValue& value) {
  for (const auto& [quantile, at] : value.quantiles) {
    const NumberLabel which{"quantile", quantile};
    append_sample(out, name, "", labels, &which, at);
  }
  append_sample(out, name, "_sum", labels, nullptr, value.sum);
  append_sample(out, name, "_count", labels, nullptr, static_cast<double>(value.count));
}

HistogramValue value_of(const Histogram& histogram) {
  HistogramValue value;
  for (size_t i = 0; i <= histogram.bounds().size(); ++i) value.counts.push_back(histogram.bucket(i));
  value.sum = histogram.sum();
  return value;
}

const char* kind_name(MetricKind kind) {
  switch (kind) {
    case MetricKind::kCounter: return "counter";
    case MetricKind::kGauge: return "gauge";
    case MetricKind::kHistogram: return "histogram";
    case MetricKind::kSummary: return "summary";
  }
  return "untyped";
}

}  // namespace

Histogram::Histogram(std::span<const double> bounds)
    : bounds_(bounds.begin(), bounds.end()), counts_(new std::atomic<uint64_t>[bounds.size() + 1]()) {
  MM_CHECK(std::is_sorted(bounds_.begin(), bounds_.end()), "the bounds of a histogram ascend");
}

void Histogram::observe(double value) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  counts_[static_cast<size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

/// One series. `source` is a Counter, Gauge or Histogram, or when `foreign` a NumberSource or HistogramSource; that of
/// a summary is a SummarySource.
struct MetricRegistry::Series {
  MetricLabels labels;
  std::string text;  // the labels as printed
  std::weak_ptr<void> source;
  bool foreign = false;
};

struct MetricRegistry::Family {
  std::string name;
  std::string help;
  MetricKind kind;
  std::vector<Series> series;

  /// The living series with these labels, or null. Forgets those that have gone.
  Series* find(const MetricLabels& labels) {
    std::erase_if(series, [](const Series& s) { return s.source.expired(); });
    for (Series& s : series)
      if (s.labels == labels) return &s;
    return nullptr;
  }
};

MetricRegistry::MetricRegistry() = default;
MetricRegistry::~MetricRegistry() = default;

MetricRegistry::Family& MetricRegistry::family(std::string_view name, std::string_view help, MetricKind kind) {
  for (const auto& f : families_) {
    if (f->name != name) continue;
    MM_CHECK(f->kind == kind, f->name.c_str());
    return *f;
  }
  families_.push_back(std::make_unique<Family>(Family{std::string(name), std::string(help), kind, {}}));
  return *families_.back();
}

template <typename T, typename Make>
std::shared_ptr<T> MetricRegistry::find_or_make(std::string_view name, std::string_view help, MetricKind kind,
                                                MetricLabels labels, Make make) {
  MutexLock lock(mutex_);
  Family& f = family(name, help, kind);
  if (Series* found = f.find(labels); found && !found->foreign)
    if (auto source = found->source.lock()) return std::static_pointer_cast<T>(source);
  std::shared_ptr<T> made = make();
  std::string text = label_text(labels);
  f.series.push_back({std::move(labels), std::move(text), made, false});
  return made;
}

MetricRegistry::Handle MetricRegistry::replace(std::string_view name, std::string_view help, MetricKind kind,
                                               MetricLabels labels, Handle source) {
  MutexLock lock(mutex_);
  Family& f = family(name, help, kind);
  if (Series* found = f.find(labels)) {
    found->source = source;
    found->foreign = true;
  } else {
    std::string text = label_text(labels);
    f.series.push_back({std::move(labels), std::move(text), source, true});
  }
  return source;
}

std::shared_ptr<Counter> MetricRegistry::counter(std::string_view name, std::string_view help, MetricLabels labels) {
  return find_or_make<Counter>(name, help, MetricKind::kCounter, std::move(labels),
                               [] { return std::make_shared<Counter>(); });
}

std::shared_ptr<Gauge> MetricRegistry::gauge(std::string_view name, std::string_view help, MetricLabels labels) {
  return find_or_make<Gauge>(name, help, MetricKind::kGauge, std::move(labels),
                             [] { return std::make_shared<Gauge>(); });
}

std::shared_ptr<Histogram> MetricRegistry::histogram(std::string_view name, std::string_view help, MetricLabels labels,
                                                     std::span<const double> bounds) {
  return find_or_make<Histogram>(name, help, MetricKind::kHistogram, std::move(labels),
                                 [&] { return std::make_shared<Histogram>(bounds); });
}

MetricRegistry::Handle MetricRegistry::counter_from(std::string_view name, std::string_view help, MetricLabels labels,
                                                    std::function<double()> read) {
  return replace(name, help, MetricKind::kCounter, std::move(labels), std::make_shared<NumberSource>(std::move(read)));
}

MetricRegistry::Handle MetricRegistry::gauge_from(std::string_view name, std::string_view help, MetricLabels labels,
                                                  std::function<double()> read) {
  return replace(name, help, MetricKind::kGauge, std::move(labels), std::make_shared<NumberSource>(std::move(read)));
}

MetricRegistry::Handle MetricRegistry::histogram_from(std::string_view name, std::string_view help, MetricLabels labels,
                                                      std::span<const double> bounds,
                                                      std::function<HistogramValue()> read) {
  auto source = std::make_shared<HistogramSource>();
  source->bounds.assign(bounds.begin(), bounds.end());
  source->read = std::move(read);
  return replace(name, help, MetricKind::kHistogram, std::move(labels), std::move(source));
}

MetricRegistry::Handle MetricRegistry::summary_from(std::string_view name, std::string_view help, MetricLabels labels,
                                                    std::function<SummaryValue()> read) {
  return replace(name, help, MetricKind::kSummary, std::move(labels), std::make_shared<SummarySource>(std::move(read)));
}

void MetricRegistry::on_collect(std::function<void()> collect) {
  MutexLock lock(mutex_);
  collectors_.push_back(std::move(collect));
}

std::string MetricRegistry::render() const {
  std::vector<std::function<void()>> collectors;
  {
    MutexLock lock(mutex_);
    collectors = collectors_;
  }
  for (const auto& collect : collectors) collect();

  // Series are found under the lock, and read, which may call foreign code, outside of it. A family's name, help and
  // kind never change, and families are never removed.
  struct Sample {
    std::string labels;
    Handle source;
    bool foreign;
  };
  std::vector<std::pair<const Family*, std::vector<Sample>>> found;
  {
    MutexLock lock(mutex_);
    for (const auto& f : families_) {
      std::vector<Sample> samples;
      for (const Series& s : f->series)
        if (auto source = s.source.lock()) samples.push_back({s.text, std::move(source), s.foreign});
      if (!samples.empty()) found.emplace_back(f.get(), std::move(samples));
    }
  }
  std::string out;
  for (const auto& [f, samples] : found) {
    out += "# HELP " + f->name + ' ';
    append_escaped(out, f->help, false);
    out += "\n# TYPE " + f->name + ' ' + kind_name(f->kind) + '\n';
    for (const Sample& s : samples) append_series(out, *f, s.labels, s.source.get(), s.foreign);
  }
  return out;
}

void MetricRegistry::append_series(std::string& out, const Family& f, const std::string& labels, void* source,
                                   bool foreign) {
  if (f.kind == MetricKind::kHistogram) {
    if (foreign) {
      const auto& h = *static_cast<HistogramSource*>(source);
      append_histogram(out, f.name, labels, h.bounds, h.read());
    } else {
      const auto& h = *static_cast<Histogram*>(source);
      append_histogram(out, f.name, labels, h.bounds(), value_of(h));
    }
    return;
  }
  if (f.kind == MetricKind::kSummary)
    return append_summary(out, f.name, labels, static_cast<SummarySource*>(source)->read());
  const double value = foreign                          ? static_cast<NumberSource*>(source)->read()
                       : f.kind == MetricKind::kCounter ? static_cast<Counter*>(source)->value()
                                                        : static_cast<Gauge*>(source)->value();
  append_sample(out, f.name, "", labels, nullptr, value);
}

std::span<const double> latency_bounds_us() {
  static constexpr std::array<double, 19> kBounds{10,      20,    50,     100,    200,    500,     1'000,
                                                  2'000,   5'000, 10'000, 20'000, 50'000, 100'000, 200'000,
                                                  500'000, 1e6,   2e6,    5e6,    1e7};
  return kBounds;
}

std::span<const double> batch_size_bounds() {
  static constexpr std::array<double, 11> kBounds{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1'024};
  return kBounds;
}

}  // namespace modelmill

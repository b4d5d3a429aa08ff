#include <algorithm>
#include <array>
#include <cctype>

#include "backend/host_table.h"

namespace modelmill {
namespace {

/// Prometheus' rule for names of metrics (with colons) and of labels (without).
bool valid_name(std::string_view name, bool colons) {
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0]))) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || (colons && c == ':');
  });
}

/// The server's own families, which a backend must not join.
constexpr std::array<std::string_view, 3> kReservedPrefixes = {"nv_", "modelmill_", "process_"};

Status check_metric(const mm_metric_args& args) {
  const std::string name = args.name != nullptr ? args.name : "";
  if (!valid_name(name, true)) return invalid_argument("'" + name + "' is not a valid name of a metric");
  for (std::string_view prefix : kReservedPrefixes)
    if (name.starts_with(prefix))
      return invalid_argument("metric '" + name + "': names that begin with " + std::string(prefix) +
                              " are the server's own");
  if (args.kind == MM_METRIC_COUNTER && !name.ends_with("_total"))
    return invalid_argument("metric '" + name + "' is a counter, so its name must end in _total");
  for (uint32_t i = 0; i < args.label_count; ++i) {
    const std::string label = args.label_names[i] != nullptr ? args.label_names[i] : "";
    if (!valid_name(label, false) || label.starts_with("__") || label == "le" || label == "model" || label == "version")
      return invalid_argument("metric '" + name + "': '" + label + "' can't be a label of a backend's metric");
  }
  if (args.kind == MM_METRIC_HISTOGRAM &&
      std::adjacent_find(args.buckets, args.buckets + args.bucket_count, std::greater_equal<>()) !=
          args.buckets + args.bucket_count)
    return invalid_argument("metric '" + name + "': its buckets must ascend");
  return ok_status();
}

}  // namespace

Status BackendMetricNames::claim(std::string_view name, mm_metric_kind kind, std::string_view help) {
  MutexLock lock(mutex_);
  for (const auto& [known, family] : families_) {
    if (known != name) continue;
    if (family.kind == kind && family.help == help) return ok_status();
    return already_exists("metric '" + std::string(name) + "' exists with another kind or help text");
  }
  families_.emplace_back(name, Family{kind, std::string(help)});
  return ok_status();
}

namespace host {
namespace {

Status make_metric(mm_host_model* model, const mm_metric_args& args, mm_metric** out) {
  MM_RETURN_IF_ERROR(check_metric(args));
  const std::string_view help = args.help != nullptr ? args.help : "";
  MM_RETURN_IF_ERROR(model->metric_names->claim(args.name, args.kind, help));
  MetricLabels labels{{"model", model->model}, {"version", std::to_string(model->version)}};
  for (uint32_t i = 0; i < args.label_count; ++i)
    labels.emplace_back(args.label_names[i], args.label_values[i] != nullptr ? args.label_values[i] : "");
  auto metric = std::make_unique<mm_metric>();
  if (model->registry != nullptr) {
    switch (args.kind) {
      case MM_METRIC_COUNTER: metric->counter = model->registry->counter(args.name, help, std::move(labels)); break;
      case MM_METRIC_GAUGE: metric->gauge = model->registry->gauge(args.name, help, std::move(labels)); break;
      case MM_METRIC_HISTOGRAM:
        metric->histogram =
            model->registry->histogram(args.name, help, std::move(labels), {args.buckets, args.bucket_count});
        break;
      default: return invalid_argument("metric '" + std::string(args.name) + "' has an unknown kind");
    }
  }
  *out = metric.get();
  MutexLock lock(model->mutex);
  model->metrics.push_back(std::move(metric));
  return ok_status();
}

}  // namespace

mm_error* metric_new(mm_host_model* model, const mm_metric_args* args, mm_metric** out) {
  return host_call([&]() -> Status {
    *out = nullptr;
    if (!MM_HAS(args, buckets)) return invalid_argument("mm_metric_args is too short");
    return make_metric(model, *args, out);
  });
}

void metric_update(mm_metric* metric, double value) {
  if (metric == nullptr) return;
  if (metric->counter) metric->counter->add(value);
  if (metric->gauge) metric->gauge->set(value);
  if (metric->histogram) metric->histogram->observe(value);
}

}  // namespace host
}  // namespace modelmill

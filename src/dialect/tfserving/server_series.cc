#include "dialect/tfserving/server_series.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/status.h"

namespace modelmill::tfserving {
namespace {

/// Counts `to` and `seen` up to what there is now.
void catch_up(Counter& to, uint64_t& seen, uint64_t now) {
  if (now > seen) to.add(static_cast<double>(now - seen));
  seen = now;
}

bool is_known(const ModelTable& table, const LoadAttempts::Key& key) {
  const ModelEntry* const entry = table.find(key.first);
  return entry != nullptr && std::any_of(entry->statuses.begin(), entry->statuses.end(),
                                         [&](const VersionStatus& status) { return status.version == key.second; });
}

}  // namespace

ServerSeries::ServerSeries(MetricRegistry& registry, ServerCounts counts)
    : registry_(registry), counts_(std::move(counts)) {
  if (counts_.batches) look_at_batches();
  if (counts_.batches) add_executions();
  if (counts_.batches && counts_.batching) add_batching();
}

void ServerSeries::add_histogram(const char* name, const char* help, MetricLabels labels,
                                 std::span<const double> bounds, HistogramValue BatchSeries::View::*what) {
  handles_.push_back(registry_.histogram_from(name, help, std::move(labels), bounds,
                                              [seen = seen_, what] { return (*seen->get()).*what; }));
}

void ServerSeries::add_executions() {
  add_histogram(":tensorflow:core:graph_run_time_usecs_histogram", "Microseconds of an execution.", {},
                BatchSeries::run_bounds_us(), &BatchSeries::View::ran_us);
}

void ServerSeries::add_batching() {
  add_histogram(":tensorflow:serving:batching_session:queuing_latency",
                "Microseconds that a request waited to be executed.",
                {{"thread_pool_name", counts_.batches->thread_pool()}}, BatchSeries::queue_bounds_us(),
                &BatchSeries::View::queued_us);
  add_histogram(":tensorflow:serving:batching_session:input_batch_size", "Rows of a request.", {},
                BatchSeries::row_bounds(), &BatchSeries::View::input_rows);
  add_histogram(":tensorflow:serving:batching_session:processed_batch_size", "Rows of an execution, padding included.",
                {}, BatchSeries::row_bounds(), &BatchSeries::View::processed_rows);
  handles_.push_back(registry_.counter_from(":tensorflow:serving:batching_session:wrapped_run_count", "Executions.", {},
                                            [seen = seen_] { return static_cast<double>(seen->get()->executions); }));
}

void ServerSeries::look(const ModelTable& table) {
  if (counts_.batches) look_at_batches();
  if (counts_.batches && counts_.batching) look_at_padding();
  if (counts_.loads) look_at_loads(table);
  if (counts_.records != nullptr) look_at_records();
}

void ServerSeries::look_at_batches() { seen_->set(std::make_shared<const BatchSeries::View>(counts_.batches->view())); }

void ServerSeries::look_at_padding() {
  for (const auto& [rows, unused] : seen_->get()->padding) {
    MetricRegistry::Handle& handle = padding_[rows];
    if (handle) continue;
    handle = registry_.histogram_from(":tensorflow:serving:batching_session:padding_size",
                                      "Rows that filled an execution up to its size.",
                                      {{"execution_batch_size", std::to_string(rows)}}, BatchSeries::row_bounds(),
                                      [seen = seen_, rows = rows] { return seen->get()->padding.at(rows); });
  }
}

void ServerSeries::tell_loads(Load& load, const LoadAttempts::Version& now) {
  if (load.place != now.place) load = Load{load.known, now.place, {}, nullptr, nullptr, nullptr, nullptr};
  if (load.seen.serial != now.serial) load.seen = {now.place, 0, 0, 0, {}, now.serial};
  const auto attempts = [&](const char* status) {
    return registry_.counter(":tensorflow:cc:saved_model:load_attempt_count", "Loads of a model, by how they ended.",
                             {{"model_path", now.place}, {"status", status}});
  };
  if (now.succeeded > 0) {
    if (!load.succeeded) load.succeeded = attempts("success");
    if (!load.latency)
      load.latency =
          registry_.counter(":tensorflow:cc:saved_model:load_latency",
                            "Microseconds of the loads that succeeded, all together.", {{"model_path", now.place}});
    catch_up(*load.succeeded, load.seen.succeeded, now.succeeded);
    const int64_t microseconds = to_ns(now.took - load.seen.took) / 1'000;
    load.latency->add(static_cast<double>(microseconds));
    load.seen.took = now.took;
  }
  if (now.failed == 0) return;
  if (!load.failed) load.failed = attempts("fail");
  catch_up(*load.failed, load.seen.failed, now.failed);
}

void ServerSeries::tell_warm_ups(Load& load, const LoadAttempts::Key& key, const std::string& place) {
  if (load.warm_ups) return;
  load.warm_ups = registry_.histogram_from(":tensorflow:serving:model_warmup_latency",
                                           "Microseconds of the warm-up with the requests that a model brings.",
                                           {{"model_path", place}, {"status", "OK"}}, LoadAttempts::warm_up_bounds_us(),
                                           [loads = counts_.loads, key] { return loads->warm_ups(key); });
}

void ServerSeries::look_at_loads(const ModelTable& table) {
  const auto all = counts_.loads->view();
  std::erase_if(loads_, [&](const auto& load) { return !all.contains(load.first); });
  for (const auto& [key, now] : all) {
    Load& load = loads_[key];
    const bool known = is_known(table, key);
    if (load.seen.serial != now.serial) load.known = false;
    if (load.known && !known) {
      counts_.loads->forget(key);
      loads_.erase(key);
      continue;
    }
    load.known = known;
    tell_loads(load, now);
    if (now.warm_ups > 0) tell_warm_ups(load, key, now.place);
  }
}

void ServerSeries::look_at_records() {
  for (const auto& [model, now] : counts_.records->counts()) {
    // What there was no room for, and what could not be written, each has a code of its own.
    for (const auto& [code, count] :
         {std::pair(Code::kOk, now.written), std::pair(Code::kResourceExhausted, now.dropped),
          std::pair(Code::kUnknown, now.failed)}) {
      if (count == 0) continue;
      const MetricLabels labels{{"model_name", model}, {"status_code", code_name(code)}};
      auto& [seen, counter] = records_[labels];
      if (!counter)
        counter = registry_.counter(":tensorflow:serving:request_log_count",
                                    "Requests that were drawn for a request log, by what became of them.", labels);
      catch_up(*counter, seen, count);
    }
  }
}

}  // namespace modelmill::tfserving

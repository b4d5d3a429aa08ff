#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "model/graph/inference_graph.h"
#include "runtime/metrics.h"
#include "runtime/slotted_pointer.h"

namespace modelmill::graphs {

/// A graph that is served, and what it has done.
class ServedGraph {
 public:
  ServedGraph(InferenceGraph graph, MetricRegistry& metrics);

  const InferenceGraph& graph() const { return graph_; }
  void count_node(size_t node) const { nodes_[node]->add(); }
  void count_answer(bool success, double microseconds) const;

 private:
  const InferenceGraph graph_;
  std::vector<std::shared_ptr<Counter>> nodes_;
  std::shared_ptr<Counter> successes_, failures_;
  std::shared_ptr<Histogram> latency_;
};
using ServedGraphPtr = std::shared_ptr<const ServedGraph>;

/// The graphs that are served, all of a moment. Thread-safe. Where there are none, find() is one relaxed load.
class GraphTable {
 public:
  /// Each has services that there are (resolve_targets), and none has another's name.
  void publish(std::vector<InferenceGraph> graphs, MetricRegistry& metrics);

  /// What was declared since and is not taken: why, by the names of graphs. Forgotten when others are published.
  void refuse(std::map<std::string, std::string> reasons);
  std::map<std::string, std::string> refusals() const;

  /// Null when there is none of that name.
  ServedGraphPtr find(std::string_view name) const;
  /// By name.
  std::vector<ServedGraphPtr> list() const;
  bool any() const { return any_.load(std::memory_order_relaxed); }

 private:
  using Graphs = std::map<std::string, ServedGraphPtr, std::less<>>;

  std::atomic<bool> any_{false};
  SlottedPointer<Graphs> graphs_;  // null: none yet
  mutable Mutex mutex_;
  std::map<std::string, std::string> refusals_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill::graphs

#include "dialect/graphs/graph_table.h"

#include <utility>

namespace modelmill::graphs {

ServedGraph::ServedGraph(InferenceGraph graph, MetricRegistry& metrics)
    : graph_(std::move(graph)),
      successes_(metrics.counter("modelmill_graph_requests_total", "Requests to an inference graph",
                                 {{"graph", graph_.name}, {"result", "success"}})),
      failures_(metrics.counter("modelmill_graph_requests_total", "Requests to an inference graph",
                                {{"graph", graph_.name}, {"result", "failure"}})),
      latency_(metrics.histogram("modelmill_graph_latency_us",
                                 "From a request to an inference graph to its answer, in microseconds",
                                 {{"graph", graph_.name}}, latency_bounds_us())) {
  for (const GraphNode& node : graph_.nodes)
    nodes_.push_back(metrics.counter("modelmill_graph_node_requests_total",
                                     "Requests that have come to a node of an inference graph",
                                     {{"graph", graph_.name}, {"node", node.name}}));
}

void ServedGraph::count_answer(bool success, double microseconds) const {
  (success ? successes_ : failures_)->add();
  latency_->observe(microseconds);
}

void GraphTable::publish(std::vector<InferenceGraph> graphs, MetricRegistry& metrics) {
  auto table = std::make_shared<Graphs>();
  for (InferenceGraph& graph : graphs) {
    std::string name = graph.name;
    table->emplace(std::move(name), std::make_shared<const ServedGraph>(std::move(graph), metrics));
  }
  const bool any = !table->empty();
  if (any) any_.store(true, std::memory_order_relaxed);
  graphs_.set(std::move(table));
  if (!any) any_.store(false, std::memory_order_relaxed);
  refuse({});
}

void GraphTable::refuse(std::map<std::string, std::string> reasons) {
  const MutexLock lock(mutex_);
  refusals_ = std::move(reasons);
}

std::map<std::string, std::string> GraphTable::refusals() const {
  const MutexLock lock(mutex_);
  return refusals_;
}

ServedGraphPtr GraphTable::find(std::string_view name) const {
  if (!any()) return nullptr;
  const auto graphs = graphs_.get();
  if (!graphs) return nullptr;
  const auto found = graphs->find(name);
  return found == graphs->end() ? nullptr : found->second;
}

std::vector<ServedGraphPtr> GraphTable::list() const {
  std::vector<ServedGraphPtr> out;
  if (const auto graphs = graphs_.get())
    for (const auto& [name, graph] : *graphs) out.push_back(graph);
  return out;
}

}  // namespace modelmill::graphs

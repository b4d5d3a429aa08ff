#include "dialect/graphs/graph_run.h"

#include "dialect/graphs/node_run.h"

namespace modelmill::graphs {
namespace {

std::shared_ptr<NodeRun> make_run(NodeRun::Task task) {
  switch (task.graph->nodes[task.node].router) {
    case GraphRouter::kSequence: return make_sequence(std::move(task));
    case GraphRouter::kSplitter: return make_splitter(std::move(task));
    case GraphRouter::kEnsemble: return make_ensemble(std::move(task));
    case GraphRouter::kSwitch: break;
  }
  return make_switch(std::move(task));
}

}  // namespace

Outcome Outcome::failure(int status, std::string cause) {
  Outcome out;
  out.status = status;
  out.cause = std::move(cause);
  return out;
}

Outcome Outcome::json(int status, Bytes body) {
  Outcome out;
  out.status = status;
  out.content_type = "application/json";
  out.body = std::move(body);
  return out;
}

RunningPtr run_node(const std::shared_ptr<const InferenceGraph>& graph, size_t node, Bytes input,
                    const std::shared_ptr<Surroundings>& around, Done done) {
  around->count(node);
  std::shared_ptr<NodeRun> run = make_run({graph, node, std::move(input), around, std::move(done)});
  run->begin();
  return run;
}

}  // namespace modelmill::graphs

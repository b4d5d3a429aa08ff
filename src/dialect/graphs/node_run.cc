#include "dialect/graphs/node_run.h"

#include <utility>

namespace modelmill::graphs {

void NodeRun::cancel() {
  over_ = true;
  task_.done = nullptr;
  drop_children();
}

void NodeRun::drop_children() {
  for (const RunningPtr& child : std::exchange(children_, {})) child->cancel();
}

void NodeRun::start(size_t index, Bytes body, Done done) {
  const GraphStep& step = this->step(index);
  RunningPtr child = step.node ? run_node(task_.graph, *step.node, std::move(body), task_.around, std::move(done))
                               : around().ask(step, std::move(body), std::move(done));
  if (over_)
    child->cancel();  // it has come to its end at once, and so has this
  else
    children_.push_back(std::move(child));
}

void NodeRun::finish(Outcome outcome) {
  if (std::exchange(over_, true)) return;
  const Done done = std::exchange(task_.done, nullptr);
  drop_children();
  done(std::move(outcome));
}

void NodeRun::pass_on(Outcome outcome) {
  if (outcome.failed()) outcome.status = 500;  // as KServe's router has it of all that fails below its root
  finish(std::move(outcome));
}

std::string NodeRun::step_text(size_t index) const {
  return "step '" + answer_key(step(index), index) + "' of node '" + node().name + "'";
}

}  // namespace modelmill::graphs

#pragma once

#include <memory>
#include <vector>

#include "dialect/graphs/graph_run.h"

namespace modelmill::graphs {

/// A request at one node. Holds itself by the callbacks of what it waits for. Ends once: done, or cancelled.
class NodeRun : public Running, public std::enable_shared_from_this<NodeRun> {
 public:
  struct Task {
    std::shared_ptr<const InferenceGraph> graph;
    size_t node = 0;
    Bytes input;
    std::shared_ptr<Surroundings> around;
    Done done;
  };
  explicit NodeRun(Task task) : task_(std::move(task)) {}

  virtual void begin() = 0;
  void cancel() override;

 protected:
  const GraphNode& node() const { return task_.graph->nodes[task_.node]; }
  const GraphStep& step(size_t index) const { return node().steps[index]; }
  const Bytes& input() const { return task_.input; }
  Surroundings& around() const { return *task_.around; }
  bool over() const { return over_; }

  /// Of one child at a time: those before have ended, and what they hold is not wanted any more.
  void forget_children() { children_.clear(); }
  /// `step(index)`, for people.
  std::string step_text(size_t index) const;
  void start(size_t index, Bytes body, Done done);
  void finish(Outcome outcome);
  /// What a step has come to is what the node comes to.
  void pass_on(Outcome outcome);

  template <typename Run>
  std::shared_ptr<Run> self() {
    return std::static_pointer_cast<Run>(shared_from_this());
  }

 private:
  void drop_children();

  Task task_;
  bool over_ = false;
  std::vector<RunningPtr> children_;
};

std::shared_ptr<NodeRun> make_sequence(NodeRun::Task task);
std::shared_ptr<NodeRun> make_splitter(NodeRun::Task task);
std::shared_ptr<NodeRun> make_ensemble(NodeRun::Task task);
std::shared_ptr<NodeRun> make_switch(NodeRun::Task task);

}  // namespace modelmill::graphs

#include <optional>

#include "dialect/graphs/node_run.h"
#include "dialect/json_input.h"

namespace modelmill::graphs {
namespace {

class SplitterRun final : public NodeRun {
 public:
  using NodeRun::NodeRun;
  void begin() override {
    const int point = around().draw();
    size_t chosen = 0;
    for (int end = step(0).weight; point >= end && chosen + 1 < node().steps.size();) end += step(++chosen).weight;
    start(chosen, input(), [self = self<SplitterRun>()](Outcome outcome) { self->pass_on(std::move(outcome)); });
  }
};

class SwitchRun final : public NodeRun {
 public:
  using NodeRun::NodeRun;
  void begin() override {
    around().work(
        input().size(), [self = self<SwitchRun>()] { self->choose(); }, [self = self<SwitchRun>()] { self->go_on(); });
  }

 private:
  /// Any thread.
  void choose() {
    const ThreadJsonParser parser;
    const auto document = parse_json(*parser, input().view(), readable_from(input()));
    for (size_t i = 0; document.ok() && !chosen_ && i < node().steps.size(); ++i)
      if (step(i).condition && step(i).condition->exists(*document)) chosen_ = i;
  }

  void go_on() {
    if (over()) return;
    if (!chosen_) return finish(Outcome::failure(404, "None of the routes matched with the switch condition"));
    start(*chosen_, input(), [self = self<SwitchRun>()](Outcome outcome) { self->pass_on(std::move(outcome)); });
  }

  std::optional<size_t> chosen_;
};

}  // namespace

std::shared_ptr<NodeRun> make_splitter(NodeRun::Task task) { return std::make_shared<SplitterRun>(std::move(task)); }
std::shared_ptr<NodeRun> make_switch(NodeRun::Task task) { return std::make_shared<SwitchRun>(std::move(task)); }

}  // namespace modelmill::graphs

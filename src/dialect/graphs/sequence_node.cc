#include <array>
#include <string_view>

#include "dialect/graphs/node_run.h"
#include "dialect/invocations/json_members.h"
#include "dialect/json_input.h"

namespace modelmill::graphs {
namespace {

/// V1's answer as V1's request; what has no predictions as it is.
Bytes predictions_as_instances(const Bytes& body) {
  constexpr std::array<std::string_view, 2> kMembers{"predictions", "instances"};
  const auto members = invocations::json_members(invocations::after_spaces(body.view()), kMembers);
  const std::string_view predictions = invocations::json_member(members, "predictions");
  const std::string_view instances = invocations::json_member(members, "instances");
  const bool filled =
      predictions.starts_with('[') && !invocations::after_spaces(predictions.substr(1)).starts_with(']');
  if (!filled || !(instances.empty() || instances.starts_with('[') || instances == "null")) return body;
  return Bytes::from_string("{\"instances\":" + std::string(predictions) + "}");
}

class SequenceRun final : public NodeRun {
 public:
  using NodeRun::NodeRun;
  void begin() override { take(0); }

 private:
  enum class Verdict : uint8_t { kGoOn, kStop, kNoJson };

  void take(size_t index) {
    const GraphStep& step = this->step(index);
    const Bytes& request = step.of_response && index > 0 ? last_.body : input();
    if (!step.map_predictions && !step.condition) return ask(index, request);
    verdict_ = Verdict::kGoOn;
    request_ = request;
    around().work(
        request.size() + (step.condition ? last_.body.size() : 0),
        [self = self<SequenceRun>(), index] { self->prepare(index); },
        [self = self<SequenceRun>(), index] { self->go_on(index); });
  }

  /// Any thread.
  void prepare(size_t index) {
    const GraphStep& step = this->step(index);
    if (step.map_predictions) request_ = predictions_as_instances(request_);
    if (!step.condition) return;
    const ThreadJsonParser parser;
    const auto document = parse_json(*parser, last_.body.view(), readable_from(last_.body));
    if (!document.ok())
      verdict_ = Verdict::kNoJson;
    else if (!step.condition->exists(*document))
      verdict_ = Verdict::kStop;
  }

  void go_on(size_t index) {
    if (over()) return;
    if (verdict_ == Verdict::kNoJson)
      return finish(Outcome::failure(500, "invalid response: " + step_text(index) +
                                              " has a condition, but what was answered before it is no JSON"));
    if (verdict_ == Verdict::kGoOn) return ask(index, std::move(request_));
    last_.status = 200;
    finish(std::move(last_));
  }

  void ask(size_t index, Bytes request) {
    forget_children();
    start(index, std::move(request),
          [self = self<SequenceRun>(), index](Outcome outcome) { self->answered(index, std::move(outcome)); });
  }

  void answered(size_t index, Outcome outcome) {
    if (over()) return;
    if (outcome.failed()) return pass_on(std::move(outcome));
    last_ = std::move(outcome);
    if (index + 1 == node().steps.size() || (step(index).hard && !last_.successful())) return finish(std::move(last_));
    take(index + 1);
  }

  Outcome last_;
  Bytes request_;
  Verdict verdict_ = Verdict::kGoOn;
};

}  // namespace

std::shared_ptr<NodeRun> make_sequence(NodeRun::Task task) { return std::make_shared<SequenceRun>(std::move(task)); }

}  // namespace modelmill::graphs

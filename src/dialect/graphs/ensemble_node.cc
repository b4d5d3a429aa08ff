#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json_text.h"
#include "dialect/graphs/node_run.h"
#include "dialect/json_input.h"

namespace modelmill::graphs {
namespace {

/// Whether it can be a member of the ensemble's answer.
bool is_object(const Bytes& body) {
  const ThreadJsonParser parser;
  const auto document = parse_json(*parser, body.view(), readable_from(body));
  return document.ok() && (document->is_object() || document->is_null());
}

class EnsembleRun final : public NodeRun {
 public:
  explicit EnsembleRun(Task task) : NodeRun(std::move(task)), answers_(node().steps.size()) {}

  void begin() override {
    const auto keep = self<EnsembleRun>();
    for (size_t i = 0; i < answers_.size() && !over(); ++i)
      start(i, input(), [self = keep, i](Outcome outcome) { self->answered(i, std::move(outcome)); });
  }

 private:
  void answered(size_t index, Outcome outcome) {
    if (over()) return;
    if (outcome.failed()) return pass_on(std::move(outcome));
    const auto object = std::make_shared<bool>(false);
    const Bytes body = outcome.body;
    around().work(
        body.size(), [object, body] { *object = is_object(body); },
        [self = self<EnsembleRun>(), object, index, outcome = std::move(outcome)]() mutable {
          self->looked_at(index, std::move(outcome), *object);
        });
  }

  void looked_at(size_t index, Outcome outcome, bool object) {
    if (over()) return;
    if (!object)
      return finish(Outcome::failure(500, step_text(index) + " has answered with status " +
                                              std::to_string(outcome.status) +
                                              " and what is no JSON object, so it can't be a part of the answer"));
    answers_[index] = std::move(outcome);
    // The first step that must succeed and doesn't is the answer, whoever is faster.
    for (; next_ < answers_.size() && answers_[next_]; ++next_)
      if (step(next_).hard && !answers_[next_]->successful()) {
        answers_[next_]->content_type = "application/json";
        return finish(std::move(*answers_[next_]));
      }
    if (next_ == answers_.size()) combine();
  }

  void combine() {
    size_t bytes = 0;
    for (const auto& answer : answers_) bytes += answer->body.size();
    const auto text = std::make_shared<std::string>();
    around().work(
        bytes, [self = self<EnsembleRun>(), text] { *text = self->combined(); },
        [self = self<EnsembleRun>(), text] {
          if (!self->over()) self->finish(Outcome::json(200, Bytes::from_string(std::move(*text))));
        });
  }

  /// Any thread.
  std::string combined() const {
    std::map<std::string, const Bytes*> by_key;
    for (size_t i = 0; i < answers_.size(); ++i) by_key[answer_key(step(i), i)] = &answers_[i]->body;
    JsonWriter json;
    json.begin_object();
    for (const auto& [key, body] : by_key) json.key(key).raw(body->view());
    return json.end_object().take();
  }

  std::vector<std::optional<Outcome>> answers_;
  size_t next_ = 0;  // the first that is not known, or whose step is not judged
};

}  // namespace

std::shared_ptr<NodeRun> make_ensemble(NodeRun::Task task) { return std::make_shared<EnsembleRun>(std::move(task)); }

}  // namespace modelmill::graphs

#include "dialect/torchserve/customized.h"

#include <utility>

#include "dialect/json_input.h"
#include "dialect/torchserve/infer_codec.h"

namespace modelmill::torchserve {
namespace {

/// What the handler was asked, and the sink of its answer.
class Describing final : public ResponseSink {
 public:
  Describing(const Management& management, InferPath asked, Management::Done done)
      : management_(management), asked_(std::move(asked)), done_(std::move(done)) {}

  AnswerForm& form() { return form_; }

  void on_response(InferResponse response, bool final, bool has_response) override {
    if (has_response && ++responses_ == 1) response_ = std::move(response);
    if (!final) return;
    if (responses_ == 0) response_.status = internal("the handler ended without an answer");
    done_(outcome());
  }

 private:
  Management::Outcome outcome() const {
    if (auto failure = failure_in(response_, form_)) return {.failure = std::move(failure)};
    const Result<Answer> answer = write_answer(response_, form_);
    if (!answer.ok()) return {.failure = failure_of(answer.status())};
    Result<std::string> text = management_.describe(asked_.model, asked_.version);
    if (!text.ok()) return {.failure = failure_of(text.status())};
    add(*answer, *text);
    return {.status = answer->status, .text = *std::move(text)};
  }

  /// Behind what else the one object in the list has.
  static void add(const Answer& answer, std::string& text) {
    std::string said;
    for (const Bytes& piece : answer.body) said += piece.view();
    const ThreadJsonParser parser;
    const auto document = parse_json(*parser, said, said.size());
    if (!document.ok() || !document->is_object() || !text.ends_with("}]")) return;
    text.insert(text.size() - 2, ",\"customizedMetadata\":" + simdjson::minify(*document));
  }

  const Management& management_;
  const InferPath asked_;
  const Management::Done done_;
  AnswerForm form_;
  int responses_ = 0;
  InferResponse response_;
};

}  // namespace

void describe_customized(Inference& inference, const Management& management, VersionPin pin, const InferPath& asked,
                         NamedTexts headers, std::shared_ptr<CancelToken> cancel, Management::Done done) {
  const auto sink = std::make_shared<Describing>(management, asked, std::move(done));
  auto request = std::make_unique<InferRequest>(sink);
  request->model = asked.model;
  request->version = pin->version();
  request->cancel = std::move(cancel);
  headers.emplace_back("explain", "False");
  headers.emplace_back("describe", "True");
  Question question;
  question.headers = std::move(headers);
  const Status status = read_question(question, *pin, *request, sink->form());
  request->times.received = Clock::now();
  if (!status.ok()) return request->fail(status);
  inference.submit(std::move(pin), std::move(request), nullptr);
}

}  // namespace modelmill::torchserve

#include "dialect/torchserve/workflow_run.h"

#include <chrono>
#include <utility>

#include "base/log.h"
#include "dialect/large_work.h"
#include "dialect/torchserve/infer_codec.h"
#include "dialect/torchserve/model_version.h"

namespace modelmill::torchserve {
namespace {

constexpr const char* kManyAnswers = "this model gives any number of answers to a request; a workflow takes one";
/// Nodes get bytes, and handlers would parse what they are told is JSON.
constexpr const char* kBytes = "application/octet-stream";

size_t size_of(const InferResponse& response) {
  size_t bytes = 0;
  for (const Tensor& tensor : response.outputs) bytes += tensor.byte_size();
  return bytes;
}

Bytes joined(Chunks chunks) {
  if (chunks.size() == 1) return std::move(chunks.front());
  std::string all;
  for (const Bytes& chunk : chunks) all += chunk.view();
  return Bytes::from_string(std::move(all));
}

Result<Bytes> body_of(const InferResponse& response, const AnswerForm& form) {
  if (const auto failure = failure_in(response, form))
    return Status(response.status.ok() ? Code::kInternal : response.status.code(), failure->message);
  MM_ASSIGN_OR_RETURN(torchserve::Answer answer, write_answer(response, form));
  return joined(std::move(answer.body));
}

}  // namespace

/// One request to a node, and its answer. The answer is written on the thread it comes on, a large one not on the loop.
class WorkflowRun::Attempt final : public ResponseSink, public std::enable_shared_from_this<Attempt> {
 public:
  Attempt(std::shared_ptr<WorkflowRun> run, size_t node, int number)
      : run_(std::move(run)), node_(node), number_(number), cancel_(run_->nodes_[node].cancel) {}

  void on_response(InferResponse response, bool final, bool has_response) override {
    if (has_response && !answered_) response_ = std::move(response);
    answered_ = answered_ || has_response;
    if (!final) return;
    if (!answered_) response_.status = internal("it ended without an answer");
    Offload* const offload = run_->offload_;
    if (offload != nullptr && run_->loop_.on_thread() && form_.is_body == false && size_of(response_) > kLoopBytes &&
        offload->run([self = shared_from_this()] { self->tell(); }))
      return;
    tell();
  }
  void fail(Status status) {
    run_->loop_.post([self = shared_from_this(), status = std::move(status)] {
      self->run_->answered(self->node_, self->number_, status);
    });
  }

  WorkflowRun& run() const { return *run_; }
  size_t node() const { return node_; }
  const std::shared_ptr<CancelToken>& cancel() const { return cancel_; }
  AnswerForm& form() { return form_; }
  Question& question() { return question_; }

 private:
  void tell() {
    run_->loop_.post([self = shared_from_this(), body = body_of(response_, form_)]() mutable {
      self->run_->answered(self->node_, self->number_, std::move(body));
    });
  }

  const std::shared_ptr<WorkflowRun> run_;
  const size_t node_;
  const int number_;
  const std::shared_ptr<CancelToken> cancel_;
  Question question_;
  AnswerForm form_;
  InferResponse response_;
  bool answered_ = false;
};

WorkflowRun::WorkflowRun(Parts parts, Input input, Done done)
    : inference_(parts.inference),
      loop_(parts.loop),
      offload_(parts.offload),
      workflow_(std::move(parts.workflow)),
      input_(std::move(input)),
      done_(std::move(done)),
      nodes_(workflow_->nodes.size()),
      unanswered_(nodes_.size()) {
  for (size_t i = 0; i < nodes_.size(); ++i) nodes_[i].missing = workflow_->nodes[i].inputs;
}

void WorkflowRun::start() {
  for (size_t i = 0; i < nodes_.size(); ++i)
    if (workflow_->nodes[i].inputs == 0) return launch(i);
}

void WorkflowRun::launch(size_t node) {
  NodeRun& run = nodes_[node];
  const Workflow::Node& plan = workflow_->nodes[node];
  ++run.attempt;
  run.runs = true;
  run.cancel = std::make_shared<CancelToken>();
  const int number = run.attempt;
  run.timer = loop_.run_at(Clock::now() + plan.timeout, [weak = weak_from_this(), node, number] {
    const auto self = weak.lock();
    if (!self || self->nodes_[node].attempt != number) return;
    self->cancel(node, CancelToken::Reason::kDeadline);
    const auto limit = self->workflow_->nodes[node].timeout.count();
    self->answered(node, number, deadline_exceeded("no answer within its timeout-ms of " + std::to_string(limit)));
  });
  const auto attempt = std::make_shared<Attempt>(shared_from_this(), node, number);
  Question& question = attempt->question();
  if (plan.inputs == 0) {
    question.body = input_.body;
    question.content_type = input_.content_type;
  } else if (plan.inputs == 1) {
    question.body = run.inputs.front().value;
  } else {
    question.fields = run.inputs;
  }
  ask(attempt);
}

void WorkflowRun::ask(const std::shared_ptr<Attempt>& attempt) {
  const std::string& model = workflow_->nodes[attempt->node()].model;
  Result<VersionPin> pin = pin_model(inference_.catalog(), model, "");
  const Question& question = attempt->question();
  size_t bytes = question.body.size();
  for (const Field& field : question.fields) bytes += field.value.size();
  if (!pin.ok() && inference_.loads_on_demand(model))
    return inference_.wait_for_model({model, kNever, attempt->cancel(), bytes, [attempt](const Status& status) {
                                        if (!status.ok()) return attempt->fail(status);
                                        attempt->run().loop_.post([attempt] { attempt->run().ask(attempt); });
                                      }});
  if (!pin.ok()) return attempt->fail(pin.status());
  if (bytes <= kLoopBytes || offload_ == nullptr) return submit(attempt, *std::move(pin));
  const auto shared = std::make_shared<VersionPin>(*std::move(pin));
  const Status status = run_large(*offload_, [attempt, shared] { attempt->run().submit(attempt, std::move(*shared)); });
  if (!status.ok()) attempt->fail(status);
}

void WorkflowRun::submit(const std::shared_ptr<Attempt>& attempt, VersionPin pin) {
  auto request = std::make_unique<InferRequest>(attempt);
  request->model = workflow_->nodes[attempt->node()].model;
  request->version = pin->version();
  request->trace = input_.trace;
  request->cancel = attempt->cancel();
  Question& question = attempt->question();
  if (takes_bodies(*pin)) {
    question.headers = input_.headers;
    if (workflow_->nodes[attempt->node()].inputs == 1) question.content_type = kBytes;
  }
  Status status = within_memory([&] { return read_question(question, *pin, *request, attempt->form()); });
  request->times.received = Clock::now();
  if (status.ok() && request->cancelled()) status = cancelled("nobody waits for it any more");
  if (!status.ok()) return request->fail(std::move(status));
  inference_.submit(std::move(pin), std::move(request), kManyAnswers);
}

void WorkflowRun::answered(size_t node, int attempt, Result<Bytes> body) {
  NodeRun& run = nodes_[node];
  if (!done_ || !run.runs || run.attempt != attempt) return;  // it comes too late
  run.runs = false;
  run.timer.reset();
  if (!body.ok()) return failed(node, body.status());
  take_answer(node, *std::move(body));
}

void WorkflowRun::failed(size_t node, const Status& why) {
  const Workflow::Node& plan = workflow_->nodes[node];
  // A model that there is not will not come by asking again.
  if (why.code() != Code::kNotFound && nodes_[node].attempt <= plan.retries) return launch(node);
  Log::warning("a node of a workflow failed", {{"workflow", workflow_->name},
                                               {"node", plan.name},
                                               {"attempts", nodes_[node].attempt},
                                               {"reason", why.message()}});
  finish(internal("Error executing " + plan.name));
}

void WorkflowRun::take_answer(size_t node, Bytes body) {
  const Workflow::Node& plan = workflow_->nodes[node];
  nodes_[node].inputs.clear();
  if (plan.next.empty()) nodes_[node].answer = body;
  if (--unanswered_ == 0) return finish(ok_status());
  std::vector<size_t> ready;
  for (const size_t next : plan.next) {
    nodes_[next].inputs.push_back({plan.name, kBytes, body});
    if (--nodes_[next].missing == 0) ready.push_back(next);
  }
  for (const size_t next : ready)
    if (done_) launch(next);
}

void WorkflowRun::finish(const Status& status) {
  const Done done = std::exchange(done_, nullptr);
  stop(CancelToken::Reason::kClientGone);
  if (!status.ok()) return done(status);
  std::vector<Answer> answers;
  for (size_t node = 0; node < nodes_.size(); ++node)
    if (workflow_->nodes[node].next.empty())
      answers.push_back({workflow_->nodes[node].name, std::move(nodes_[node].answer)});
  done(std::move(answers));
}

void WorkflowRun::abandon() {
  done_ = nullptr;
  stop(CancelToken::Reason::kClientGone);
}

void WorkflowRun::stop(CancelToken::Reason reason) {
  for (size_t node = 0; node < nodes_.size(); ++node) {
    nodes_[node].timer.reset();
    if (std::exchange(nodes_[node].runs, false)) cancel(node, reason);
  }
}

void WorkflowRun::cancel(size_t node, CancelToken::Reason reason) {
  nodes_[node].cancel->cancel(reason);
  inference_.cancelled(workflow_->nodes[node].model, 0);
}

}  // namespace modelmill::torchserve

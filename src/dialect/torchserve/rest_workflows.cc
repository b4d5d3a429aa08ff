#include "dialect/torchserve/rest_workflows.h"

#include <algorithm>
#include <utility>

#include "base/json_text.h"
#include "dialect/json_input.h"
#include "dialect/large_work.h"
#include "dialect/torchserve/answers.h"
#include "dialect/torchserve/query_values.h"
#include "dialect/torchserve/refusal.h"
#include "dialect/torchserve/workflow_run.h"

namespace modelmill::torchserve {
namespace {

constexpr int64_t kMostListed = 100;

std::string_view invalid_type(std::string_view message) {
  if (message.starts_with("DAG")) return "InvalidDAGException";
  return message.starts_with("Failed to download") ? "DownloadArchiveException" : "InvalidWorkflowException";
}

/// Why a workflow could not be registered, or unregistered, in TorchServe's classes.
Failure workflow_failure(const Status& status) {
  switch (status.code()) {
    case Code::kNotFound:
    case Code::kPermissionDenied: return {404, "WorkflowNotFoundException", status.message()};
    case Code::kInvalidArgument: return {400, invalid_type(status.message()), status.message()};
    case Code::kInternal: return {500, "WorkflowException", status.message()};
    default: return failure_of(status);
  }
}

std::string list_json(const WorkflowControl& control, int64_t limit, int64_t page) {
  const auto served = control.list();
  const size_t count = limit < 1 || limit > kMostListed ? kMostListed : static_cast<size_t>(limit);
  const size_t first = std::min(page < 0 ? 0 : static_cast<size_t>(page), served.size());
  const size_t last = std::min(first + count, served.size());
  JsonWriter json;
  json.begin_object();
  if (last < served.size()) json.field("nextPageToken", std::to_string(last));
  json.key("workflows").begin_array();
  for (size_t i = first; i < last; ++i)
    json.begin_object().field("workflowName", served[i]->name).field("workflowUrl", served[i]->place).end_object();
  json.end_array().end_object();
  return json.take();
}

std::string describe_json(const Workflow& workflow) {
  JsonWriter json;
  json.begin_array().begin_object();
  json.field("workflowName", workflow.name).field("workflowUrl", workflow.place);
  json.field("minWorkers", workflow.min_workers).field("maxWorkers", workflow.max_workers);
  json.field("batchSize", workflow.batch_size).field("maxBatchDelay", int64_t{workflow.max_batch_delay.count()});
  json.field("workflowDag", workflow.dag).end_object().end_array();
  return json.take();
}

/// One request for management.
class Call {
 public:
  Call(std::shared_ptr<TorchMetrics> metrics, std::shared_ptr<wire::HttpExchange> exchange)
      : metrics_(std::move(metrics)), exchange_(std::move(exchange)) {}

  void reply(wire::HttpReply reply) const {
    metrics_->replied(reply.status);
    exchange_->reply(std::move(reply));
  }
  /// Any thread.
  void reply_soon(wire::HttpReply reply) const {
    exchange_->loop().post([call = *this, reply = std::move(reply)]() mutable { call.reply(std::move(reply)); });
  }
  const wire::HttpRequest& request() const { return exchange_->request(); }

 private:
  std::shared_ptr<TorchMetrics> metrics_;
  std::shared_ptr<wire::HttpExchange> exchange_;
};

Status register_workflow(WorkflowControl& control, const Call& call) {
  bool by_body = false;
  MM_ASSIGN_OR_RETURN(const NamedTexts said, registration_values(call.request(), by_body));
  WorkflowAddition addition{text_in(said, "url"), text_in(said, "workflow_name")};
  if (addition.place.empty()) return invalid_argument("Parameter url is required.");
  control.add(std::move(addition), [call](const Result<std::shared_ptr<const Workflow>>& added) {
    call.reply_soon(added.ok() ? plain_reply(200, status_json("Workflow " + (*added)->name +
                                                              " has been registered and scaled successfully."))
                               : failure_reply(workflow_failure(added.status())));
  });
  return ok_status();
}

Status manage(WorkflowControl& control, const Call& call, const std::vector<std::string>& path) {
  const std::string& method = call.request().method;
  if (path.size() > 1) return no_such_resource();
  if (path.empty()) {
    if (method == "POST") return register_workflow(control, call);
    if (method != "GET") return method_not_allowed();
    MM_ASSIGN_OR_RETURN(const NamedTexts query, parse_query(call.request().query));
    call.reply(plain_reply(200, list_json(control, number_in(query, "limit").value_or(0),
                                          number_in(query, "next_page_token").value_or(0))));
    return ok_status();
  }
  const std::string& name = path[0];
  if (method == "GET") {
    const auto workflow = control.find(name);
    call.reply(workflow ? plain_reply(200, describe_json(*workflow)) : no_such_workflow(name));
    return ok_status();
  }
  if (method != "DELETE") return method_not_allowed();
  control.remove(name, [call, name](const Status& status) {
    call.reply_soon(status.ok() ? plain_reply(200, status_json("Workflow \"" + name + "\" unregistered"))
                                : failure_reply(workflow_failure(status)));
  });
  return ok_status();
}

using Answers = std::vector<WorkflowRun::Answer>;

/// What is JSON as it is, anything else as a text.
void append_value(JsonWriter& json, const Bytes& body) {
  const ThreadJsonParser parser;
  const std::string text(body.view());
  const auto document = parse_json(*parser, text, text.size());
  if (document.ok())
    json.raw(simdjson::minify(*document));
  else
    json.value(text);
}

wire::HttpReply reply_of(const Answers& answers) {
  if (answers.size() != 1) {
    JsonWriter json;
    json.begin_object();
    for (const WorkflowRun::Answer& answer : answers) {
      json.key(answer.node);
      append_value(json, answer.body);
    }
    json.end_object();
    return plain_reply(200, json.take());
  }
  wire::HttpReply reply;
  reply.headers.emplace_back("Content-Type", "application/json");
  if (!answers.front().body.empty()) reply.body.push_back(answers.front().body);
  return reply;
}

/// One inference. Lives until its reply is on its way.
class InferCall : public std::enable_shared_from_this<InferCall> {
 public:
  InferCall(Inference& inference, std::shared_ptr<const Workflow> workflow, std::shared_ptr<TorchMetrics> metrics,
            const HttpOptions& options, std::shared_ptr<wire::HttpExchange> exchange)
      : inference_(inference),
        workflow_(std::move(workflow)),
        metrics_(std::move(metrics)),
        offload_(options.offload),
        exchange_(std::move(exchange)),
        encoding_(choose_encoding(exchange_->request().header("accept-encoding"))) {}

  void begin(const HttpOptions& options) {
    exchange_->on_abandoned([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->abandon();
    });
    if (auto body = decode_on_loop(exchange_->request(), options)) return start(*std::move(body));
    const Status status = run_large(*offload_, [self = shared_from_this(), limit = options.inflate] {
      const wire::HttpRequest& request = self->exchange_->request();
      auto body = decode_body(request.body, request.header("content-encoding"), limit);
      self->exchange_->loop().post([self, body = std::move(body)]() mutable { self->start(std::move(body)); });
    });
    if (!status.ok()) send(failure_reply(status));
  }

 private:
  void abandon() {
    gone_ = true;
    if (const auto run = run_.lock()) run->abandon();
  }
  void start(Result<Bytes> body) {
    if (gone_) return;
    if (!body.ok()) return send(failure_reply(body.status()));
    const wire::HttpRequest& request = exchange_->request();
    WorkflowRun::Input input{*std::move(body), std::string(request.header("content-type")), NamedTexts(request.headers),
                             request.trace};
    const auto run = std::make_shared<WorkflowRun>(
        WorkflowRun::Parts{inference_, exchange_->loop(), offload_, workflow_}, std::move(input),
        [self = shared_from_this()](Result<Answers> answers) { self->finish(std::move(answers)); });
    run_ = run;
    run->start();
  }

  void finish(Result<Answers> answers) {
    if (!answers.ok()) return send(failure_reply(answers.status()));
    size_t bytes = 0;
    for (const WorkflowRun::Answer& answer : *answers) bytes += answer.body.size();
    const bool is_work = answers->size() > 1 || !encoding_.empty();
    if (bytes <= kLoopBytes || !is_work || offload_ == nullptr) return send(make(*answers));
    const Status status = run_large(*offload_, [self = shared_from_this(), answers = *std::move(answers)] {
      self->exchange_->loop().post([self, reply = self->make(answers)]() mutable { self->send(std::move(reply)); });
    });
    if (!status.ok()) send(failure_reply(status));
  }
  wire::HttpReply make(const Answers& answers) const {
    wire::HttpReply reply = reply_of(answers);
    compress_reply(reply, encoding_);
    return reply;
  }
  void send(wire::HttpReply reply) {
    metrics_->replied(reply.status);
    exchange_->reply(std::move(reply));
  }

  Inference& inference_;
  const std::shared_ptr<const Workflow> workflow_;
  const std::shared_ptr<TorchMetrics> metrics_;
  Offload* const offload_;
  const std::shared_ptr<wire::HttpExchange> exchange_;
  const std::string encoding_;
  bool gone_ = false;  // the client
  std::weak_ptr<WorkflowRun> run_;
};

}  // namespace

wire::HttpReply no_such_workflow(const std::string& name) {
  return failure_reply(Failure{404, "WorkflowNotFoundException", "Workflow not found: " + name});
}

void handle_workflow_management(WorkflowControl& control, const std::shared_ptr<TorchMetrics>& metrics,
                                const std::shared_ptr<wire::HttpExchange>& exchange,
                                const std::vector<std::string>& path) {
  const Call call(metrics, exchange);
  if (const Status status = manage(control, call, path); !status.ok()) call.reply(refusal(status, exchange->request()));
}

void handle_workflow_inference(Inference& inference, std::shared_ptr<const Workflow> workflow,
                               const std::shared_ptr<TorchMetrics>& metrics, const HttpOptions& options,
                               const std::shared_ptr<wire::HttpExchange>& exchange) {
  std::make_shared<InferCall>(inference, std::move(workflow), metrics, options, exchange)->begin(options);
}

}  // namespace modelmill::torchserve

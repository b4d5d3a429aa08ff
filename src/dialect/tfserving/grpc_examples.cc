#include "dialect/tfserving/grpc_examples.h"

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dialect/large_work.h"
#include "dialect/proto_wire.h"
#include "dialect/route_facts.h"
#include "dialect/tfserving/examples.h"
#include "dialect/tfserving/model_target.h"
#include "dialect/tfserving/results.h"
#include "dialect/tfserving/saved_model.h"

namespace modelmill::tfserving {
namespace {

namespace api = tensorflow::serving;

constexpr const char* kNotDecoupled =
    "this model gives any number of answers to a request; ask it by V2's ModelStreamInfer";

enum class Method { kClassify, kRegress, kMultiInference };

LoggedKind kind_of(Method method) {
  if (method == Method::kMultiInference) return LoggedKind::kMultiInference;
  return method == Method::kClassify ? LoggedKind::kClassify : LoggedKind::kRegress;
}

/// One thing that is wanted of the examples.
struct Task {
  ModelTarget target;
  bool regress = false;
  size_t run = 0;  // whose answer is its answer
};

class ExamplesCall;

/// What one entry point makes of the examples: the sink of its answer. A part of its call, which it keeps alive as
/// that.
struct EntryRun final : public ResponseSink {
  EntryRun(ExamplesCall& its_call, const ModelVersion& entry)
      : call(its_call), model(entry.description()), signature(signature_name(entry)) {}
  /// Of a request that comes to no version.
  explicit EntryRun(ExamplesCall& its_call) : call(its_call) {}
  void on_response(InferResponse answer, bool final, bool has_response) override;

  ExamplesCall& call;
  const ModelVersion::Description model;
  const std::string signature;
  int responses = 0;
  InferResponse response;
};

/// One call of any of the methods: the examples run once by each entry point that its tasks name. It parses on the loop
/// or the offload, and is answered on any thread. Owned by its handler and by the requests in flight.
class ExamplesCall final : public std::enable_shared_from_this<ExamplesCall> {
 public:
  ExamplesCall(Inference& inference, std::shared_ptr<wire::GrpcCall> call, Method method, Offload* offload,
               std::shared_ptr<Observers> observers)
      : inference_(inference),
        call_(std::move(call)),
        method_(method),
        offload_(offload),
        observers_(std::move(observers)) {}

  void start(Bytes message);
  void cancel(const Status& reason) {
    cancel_.cancel(reason.code() == Code::kDeadlineExceeded ? CancelToken::Reason::kDeadline
                                                            : CancelToken::Reason::kClientGone);
    if (!tasks_.empty()) inference_.cancelled(routed_, tasks_[0].target.model, tasks_[0].target.version.value_or(0));
  }
  /// One of its runs is over.
  void run_done() {
    if (--runs_left_ == 0) finish(answer());
  }

 private:
  Status parse();
  Status parse_tasks(std::string_view& input);
  Status add_task(std::string_view bytes);
  void submit(Result<VersionPin> pin);
  void answer_without_version(const Status& why);
  Status find_runs(const ModelVersion& version);
  void put(VersionPin pin);
  void put(VersionPin pin, EntryRun& run);
  Result<std::string> answer();
  Status answer_task(const Task& task, api::InferenceResult& result);
  void name_model(const Task& task, api::ModelSpec& spec) const;
  void log(std::string_view response) const;
  void observe(std::string_view method, const Status& status) const;
  void finish(Result<std::string> message);

  Inference& inference_;
  const std::shared_ptr<wire::GrpcCall> call_;
  const Method method_;
  Offload* const offload_;
  const std::shared_ptr<Observers> observers_;
  const TimePoint start_ = Clock::now();
  Bytes message_;
  std::vector<Task> tasks_;
  RoutedRequestPtr routed_;  // null: the first task names a model
  Examples examples_;
  CancelToken cancel_;
  std::vector<std::unique_ptr<EntryRun>> runs_;
  std::atomic<size_t> runs_left_{0};
  std::unique_ptr<LoggedRequest> logged_;  // null: it is not
};

void EntryRun::on_response(InferResponse answer, bool final, bool has_response) {
  if (has_response && ++responses == 1) response = std::move(answer);
  if (final) call.run_done();
}

void ExamplesCall::start(Bytes message) {
  message_ = std::move(message);
  if (const Status status = parse(); !status.ok()) return finish(status);
  routed_ = find_route(inference_, tasks_[0].target, facts_of(*call_));
  pin_when_loaded(inference_, tasks_[0].target, routed_, call_->deadline(),
                  std::shared_ptr<CancelToken>(shared_from_this(), &cancel_), message_.size(),
                  [self = shared_from_this()](Result<VersionPin> pin) { self->submit(std::move(pin)); });
}

/// An InferenceTask.
Status ExamplesCall::add_task(std::string_view bytes) {
  Task task;
  std::string_view spec, method;
  ProtoReader reader(bytes);
  while (reader.next()) {
    if (reader.is(1, WireType::kBytes)) spec = reader.bytes();
    if (reader.is(2, WireType::kBytes)) method = reader.bytes();
  }
  if (!reader.ok()) return invalid_argument("an InferenceTask does not parse as a protobuf message");
  MM_ASSIGN_OR_RETURN(task.target, read_model_spec(spec));
  if (method != "tensorflow/serving/classify" && method != "tensorflow/serving/regress")
    return unimplemented("Unsupported signature method_name: " + std::string(method));
  task.regress = method == "tensorflow/serving/regress";
  if (!tasks_.empty() && task.target.model != tasks_[0].target.model)
    return invalid_argument("All ModelSpecs in a MultiInferenceRequest must access the same model name.");
  tasks_.push_back(std::move(task));
  return ok_status();
}

Status ExamplesCall::parse_tasks(std::string_view& input) {
  bool has_spec = false;
  ProtoReader reader(message_.view());
  while (reader.next()) {
    if (reader.is(2, WireType::kBytes)) input = reader.bytes();
    if (!reader.is(1, WireType::kBytes)) continue;
    has_spec = true;
    if (method_ == Method::kMultiInference) {
      MM_RETURN_IF_ERROR(add_task(reader.bytes()));
      continue;
    }
    MM_ASSIGN_OR_RETURN(ModelTarget target, read_model_spec(reader.bytes()));
    tasks_ = {{std::move(target), method_ == Method::kRegress}};
  }
  if (!reader.ok())
    return invalid_argument("the request does not parse as a protobuf message; check the client's protos");
  if (has_spec) return ok_status();
  return invalid_argument(method_ == Method::kMultiInference ? "Inference request contains no inference tasks"
                                                             : "Missing ModelSpec");
}

Status ExamplesCall::parse() {
  std::string_view input;
  MM_RETURN_IF_ERROR(parse_tasks(input));
  MM_ASSIGN_OR_RETURN(examples_, read_input(input));
  return ok_status();
}

void ExamplesCall::submit(Result<VersionPin> pin) {
  if (!pin.ok() && routed_) return answer_without_version(pin.status());
  Status status = pin.status();
  if (status.ok()) status = find_runs(**pin);
  if (!status.ok()) return finish(status);
  logged_ = observers_->log.draw(**pin);
  if (logged_) logged_->request = message_.view();
  if (offload_ == nullptr || message_.size() <= kLoopBytes) return put(*std::move(pin));
  const auto held = std::make_shared<VersionPin>(*std::move(pin));
  status = run_large(*offload_, [self = shared_from_this(), held] { self->put(std::move(*held)); });
  if (!status.ok()) finish(status);
}

/// The route may have an answer of its own.
void ExamplesCall::answer_without_version(const Status& why) {
  EntryRun& run = *runs_.emplace_back(std::make_unique<EntryRun>(*this));
  runs_left_ = 1;
  routed_->answer_without(std::make_unique<InferRequest>(std::shared_ptr<ResponseSink>(shared_from_this(), &run)), why);
}

Status ExamplesCall::find_runs(const ModelVersion& version) {
  for (Task& task : tasks_) {
    const ModelVersion* const entry = find_signature(version, task.target.signature);
    if (entry == nullptr) return invalid_argument("No signature was found with the name: " + task.target.signature);
    const std::string name = signature_name(*entry);
    task.run = 0;
    while (task.run < runs_.size() && runs_[task.run]->signature != name) ++task.run;
    if (task.run == runs_.size()) runs_.push_back(std::make_unique<EntryRun>(*this, *entry));
  }
  runs_left_ = runs_.size();
  return ok_status();
}

void ExamplesCall::put(VersionPin pin) {
  // A run may end, and the call with the last one, before put() returns.
  const auto self = shared_from_this();
  for (size_t i = 1; i < runs_.size(); ++i) {
    VersionPin another(*pin);
    if (!another) {  // it is being unloaded, and another one serves
      auto found = pin_target(inference_.catalog(), tasks_[0].target, routed_);
      if (found.ok()) another = *std::move(found);
    }
    put(std::move(another), *runs_[i]);
  }
  put(std::move(pin), *runs_[0]);
}

void ExamplesCall::put(VersionPin pin, EntryRun& run) {
  auto request = std::make_unique<InferRequest>(std::shared_ptr<ResponseSink>(shared_from_this(), &run));
  request->model = tasks_[0].target.model;
  request->deadline = call_->deadline();
  request->trace = call_->trace();
  request->cancel = std::shared_ptr<CancelToken>(shared_from_this(), &cancel_);
  if (!pin) return request->fail(unavailable("model '" + request->model + "' is being unloaded; try again"));
  const ModelVersion* const entry = find_signature(*pin, run.signature);
  if (entry == nullptr)
    return request->fail(invalid_argument("No signature was found with the name: " + run.signature));
  request->version = pin->version();
  aim_at(*entry, *pin, *request);
  const Status status = within_memory([&] { return put_examples(examples_, entry->signature(), *request); });
  request->times.received = Clock::now();
  if (!status.ok()) return request->fail(status);
  // A way is that of one request: where several run, each goes to the version that was found.
  inference_.submit(std::move(pin), std::move(request), kNotDecoupled, runs_.size() == 1 ? routed_ : nullptr);
}

void ExamplesCall::name_model(const Task& task, api::ModelSpec& spec) const {
  const EntryRun& run = *runs_[task.run];
  spec.set_name(task.target.model);
  spec.mutable_version()->set_value(run.response.version != 0 ? run.response.version : run.model.version);
  spec.set_signature_name(task.target.signature);
}

Status ExamplesCall::answer_task(const Task& task, api::InferenceResult& result) {
  name_model(task, *result.mutable_model_spec());
  const EntryRun& run = *runs_[task.run];
  if (task.regress) {
    MM_ASSIGN_OR_RETURN(*result.mutable_regression_result(), regression_of(run.response, examples_.list.size()));
  } else {
    MM_ASSIGN_OR_RETURN(*result.mutable_classification_result(),
                        classification_of(run.response, run.model, examples_.list.size()));
  }
  return ok_status();
}

Result<std::string> ExamplesCall::answer() {
  for (const auto& run : runs_) {
    if (run->responses != 1) return internal("expected a single response, got " + std::to_string(run->responses));
    MM_RETURN_IF_ERROR(run->response.status);
  }
  api::MultiInferenceResponse all;
  for (const Task& task : tasks_) MM_RETURN_IF_ERROR(answer_task(task, *all.add_results()));
  if (method_ == Method::kMultiInference) return all.SerializeAsString();
  api::InferenceResult& only = *all.mutable_results(0);
  if (method_ == Method::kRegress) {
    api::RegressionResponse out;
    out.mutable_model_spec()->Swap(only.mutable_model_spec());
    out.mutable_result()->Swap(only.mutable_regression_result());
    return out.SerializeAsString();
  }
  api::ClassificationResponse out;
  out.mutable_model_spec()->Swap(only.mutable_model_spec());
  out.mutable_result()->Swap(only.mutable_classification_result());
  return out.SerializeAsString();
}

void ExamplesCall::log(std::string_view response) const {
  const EntryRun& run = *runs_[0];
  const int64_t version = run.response.version != 0 ? run.response.version : run.model.version;
  observers_->log.write(*logged_, kind_of(method_), {tasks_[0].target.model, version, run.signature}, response);
}

void ExamplesCall::observe(std::string_view method, const Status& status) const {
  ServingMetrics& metrics = observers_->metrics;
  const ModelDefinition& model = runs_[0]->model.definition;
  metrics.answered(model.name, method, "GRPC", status, Clock::now() - start_);
  if (!status.ok()) return;
  metrics.had_examples(model.name, examples_.list.size());
  for (const auto& run : runs_) metrics.ran(model.name, method, runtime_of(model), run->response.times);
}

void ExamplesCall::finish(Result<std::string> message) {
  const std::string_view method = call_->method();
  if (!runs_.empty() && !runs_[0]->model.definition.name.empty())  // one of a version
    observe(method.substr(method.rfind('/') + 1), message.status());
  if (logged_ && message.ok()) log(*message);
  const auto deliver = [self = shared_from_this(), message = std::move(message)]() mutable {
    add_route_headers(*self->call_, self->routed_);
    if (!message.ok()) return self->call_->finish(message.status());
    self->call_->reply({Bytes::from_string(std::move(message).value())});
  };
  if (call_->loop().on_thread()) {
    auto now = deliver;
    return now();
  }
  call_->loop().post(deliver);
}

/// The wire's side of a call.
class ExamplesHandler final : public wire::WholeMessageHandler {
 public:
  ExamplesHandler(std::shared_ptr<wire::GrpcCall> call, std::shared_ptr<ExamplesCall> examples)
      : call_(std::move(call)), examples_(std::move(examples)) {}

  void on_message(Bytes message) override {
    if (!std::exchange(received_, true)) examples_->start(std::move(message));
  }
  void on_half_close() override {
    if (!received_) call_->finish(internal("the call ended without a request message"));
  }
  void on_cancel(const Status& reason) override { examples_->cancel(reason); }

 private:
  const std::shared_ptr<wire::GrpcCall> call_;
  const std::shared_ptr<ExamplesCall> examples_;
  bool received_ = false;
};

}  // namespace

void add_example_methods(wire::GrpcMethods& methods, Inference& inference, Offload* offload,
                         const std::shared_ptr<Observers>& observers) {
  const std::pair<const char*, Method> all[] = {
      {"Classify", Method::kClassify}, {"Regress", Method::kRegress}, {"MultiInference", Method::kMultiInference}};
  for (const auto& [name, method] : all)
    methods.add(
        std::string("/tensorflow.serving.PredictionService/") + name,
        [&inference, offload, observers,
         method = method](std::shared_ptr<wire::GrpcCall> call) -> std::unique_ptr<wire::GrpcCallHandler> {
          auto examples = std::make_shared<ExamplesCall>(inference, call, method, offload, observers);
          return std::make_unique<ExamplesHandler>(std::move(call), std::move(examples));
        },
        wire::ApiGroup::kInference);
}

}  // namespace modelmill::tfserving

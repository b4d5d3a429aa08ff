#include <algorithm>
#include <thread>

#include "backend/handles.h"
#include "backend/loaded_model.h"
#include "base/log.h"

using modelmill::BackendInstance;
using modelmill::Clock;
using modelmill::ExecutionResult;
using modelmill::InferRequestPtr;
using modelmill::Log;
using modelmill::Status;
using modelmill::TimePoint;

std::string mm_host_model::label() const {
  return "backend '" + backend + "', model '" + model + "' version " + std::to_string(version);
}

void mm_request::open(mm_execution* owner, InferRequestPtr r) {
  execution = owner;
  id = r->id;
  priority = r->priority;
  cancel = r->cancel;
  deadline = r->deadline;
  trace = r->trace;
  if (trace.present()) traceparent = traceparent_text(trace);
  request = std::move(r);
  phase.store(Phase::kOpen, std::memory_order_release);
}

bool mm_request::begin_send() {
  for (;;) {
    Phase expected = Phase::kOpen;
    if (phase.compare_exchange_weak(expected, Phase::kSending, std::memory_order_acq_rel)) return true;
    if (expected == Phase::kEnded) return false;
    // Only a backend that breaks the rule against overlapping calls comes here; the other send is short.
    if (expected == Phase::kSending) std::this_thread::yield();
  }
}

void mm_request::end() {
  request.reset();
  if (prepared_) {
    prepared_ = false;
    chunks_.clear();
    strings_.clear();
  }
  first_.abandon();
  for (const auto& response : more_) response->abandon();
  phase.store(Phase::kEnded, std::memory_order_release);
}

void mm_execution::begin(std::vector<InferRequestPtr> requests, BackendInstance::Done done) {
  const size_t count = requests.size();
  if (count > capacity_) {
    capacity_ = std::max(count, 2 * capacity_);
    slots_ = std::make_unique<mm_request[]>(capacity_);
  }
  handles_.resize(count);
  const TimePoint now = Clock::now();
  for (size_t i = 0; i < count; ++i) {
    requests[i]->times.compute_start = now;
    slots_[i].open(this, std::move(requests[i]));
    handles_[i] = &slots_[i];
  }
  done_ = std::move(done);
  result_ = {};
  holders_.store(2, std::memory_order_relaxed);
  done_called_.store(false, std::memory_order_release);
}

int mm_execution::fail_unanswered(const Status& status) {
  int failed = 0;
  for (mm_request* slot : handles_) {
    if (!slot->begin_send()) continue;
    slot->request->fail(status);
    slot->end();
    ++failed;
  }
  return failed;
}

void mm_execution::backend_done(const mm_execution_done_args* args) {
  if (done_called_.exchange(true, std::memory_order_acq_rel)) {
    Log::error("backend ended an execution that was over", {{"backend", model->backend}, {"model", model->model}});
    return;
  }
  if (args != nullptr && MM_HAS(args, infer_end_ns)) {
    result_.input_end = TimePoint(std::chrono::nanoseconds(args->input_end_ns));
    result_.infer_end = TimePoint(std::chrono::nanoseconds(args->infer_end_ns));
  }
  const int failed =
      fail_unanswered(modelmill::internal(model->label() + " ended an execution without an answer to this request"));
  if (failed > 0)
    Log::error("backend left requests without an answer",
               {{"backend", model->backend}, {"model", model->model}, {"requests", failed}});
  let_go();
}

void mm_execution::refuse(const Status& status) {
  if (done_called_.exchange(true, std::memory_order_acq_rel)) {
    Log::error("backend ended an execution and then refused it",
               {{"backend", model->backend}, {"model", model->model}});
    return;
  }
  fail_unanswered(status);
  let_go();
}

void mm_execution::let_go() {
  if (holders_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  const BackendInstance::Done done = std::move(done_);
  done_ = nullptr;
  const ExecutionResult result = result_;
  instance->recycle(this);
  done(result);
}

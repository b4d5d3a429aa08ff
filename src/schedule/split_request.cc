#include "schedule/split_request.h"

#include <algorithm>
#include <utility>

#include "schedule/failure_reason.h"
#include "schedule/input_rows.h"

namespace modelmill {
namespace {

const Tensor* find_output(const InferResponse& response, const std::string& name) {
  for (const Tensor& output : response.outputs)
    if (output.name == name) return &output;
  return nullptr;
}

/// Whether `more` can stand behind `first`.
bool same_rows(const Tensor& first, const Tensor& more) {
  return first.dtype == more.dtype && first.shape.size() == more.shape.size() &&
         std::equal(first.shape.begin() + 1, first.shape.end(), more.shape.begin() + 1);
}

}  // namespace

void SplitRequest::Part::on_completed(InferRequest& request, const Status& status) {
  request.times.compute_end = whole_->time_.now();
  if (batch_) request.times.batch = *batch_;
  if (!failed_) {
    if (counted()) whole_->stats_.requests_dequeued(1);
  } else if (!status.ok()) {
    if (!counted()) failed_->uncounted.fetch_add(1, std::memory_order_relaxed);
    failed_->all.fetch_add(1, std::memory_order_relaxed);
  }
}

void SplitRequest::Part::on_response(InferResponse response, bool final, bool has_response) {
  if (final) whole_->take(index_, std::move(response), has_response);
}

SplitRequest::SplitRequest(InferRequestPtr request, int64_t max_rows, VersionStats& stats, TimeSource& time)
    : request_(std::move(request)),
      max_rows_(max_rows),
      stats_(stats),
      time_(time),
      responses_(static_cast<size_t>((request_->batch_rows + max_rows - 1) / max_rows)),
      left_(responses_.size()),
      first_failed_(responses_.size()) {
  request_->observer = nullptr;
}

int64_t SplitRequest::rows_of(size_t part) const {
  return std::min(max_rows_, request_->batch_rows - static_cast<int64_t>(part) * max_rows_);
}

std::vector<InferRequestPtr> SplitRequest::split(InferRequestPtr request, int64_t max_rows, VersionStats& stats,
                                                 TimeSource& time) {
  const std::shared_ptr<SplitRequest> whole(new SplitRequest(std::move(request), max_rows, stats, time));
  const InferRequest& from = *whole->request_;
  std::vector<InputRows> inputs;
  for (const Tensor& input : from.inputs) inputs.emplace_back(input, from.batch_rows);
  std::vector<InferRequestPtr> parts;
  parts.reserve(whole->responses_.size());
  for (size_t i = 0; i < whole->responses_.size(); ++i) {
    auto sink = std::make_shared<Part>(whole, i);
    Part* const observer = sink.get();
    auto part = std::make_unique<InferRequest>(std::move(sink));
    part->model = from.model;
    part->version = from.version;
    part->id = from.id;
    part->parameters = from.parameters;
    part->outputs = from.outputs;
    part->sequence = from.sequence;
    part->priority = from.priority;
    part->holds_resources = from.holds_resources;
    part->timeout = from.timeout;
    part->deadline = from.deadline;
    part->cancel = from.cancel;
    part->times = from.times;
    part->trace = from.trace;
    part->batch_rows = whole->rows_of(i);
    part->observer = observer;
    for (InputRows& input : inputs) part->inputs.push_back(input.next(part->batch_rows));
    parts.push_back(std::move(part));
  }
  return parts;
}

void SplitRequest::take(size_t part, InferResponse response, bool has_response) {
  if (!has_response) response.status = internal("model '" + request_->model + "' gave no answer for some of the rows");
  const bool failed = !response.status.ok();
  responses_[part] = std::move(response);
  size_t none = responses_.size();
  if (failed) first_failed_.compare_exchange_strong(none, part, std::memory_order_acq_rel);
  if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) answer();
}

void SplitRequest::answer() {
  RequestTimes& times = request_->times;
  const size_t failed = first_failed_.load(std::memory_order_acquire);
  // From the beginning of the first part to the end of the last.
  for (const InferResponse& response : responses_) {
    const RequestTimes& of = response.times;
    const bool began = of.compute_start != TimePoint{};
    if (began && (times.compute_start == TimePoint{} || of.compute_start < times.compute_start)) {
      times.compute_start = of.compute_start;
      times.input_end = of.input_end;
      times.batch = of.batch;
    }
    times.infer_end = std::max(times.infer_end, of.infer_end);
  }
  times.compute_end = time_.now();
  InferResponse joined;
  bool ran = true;
  if (failed < responses_.size()) {
    joined.status = std::move(responses_[failed].status);
    ran = responses_[failed].times.compute_start != TimePoint{};
  } else {
    joined = join();
  }
  const Code code = joined.status.code();
  if (joined.status.ok()) {
    stats_.request_succeeded(times, request_->batch_rows);
  } else {
    stats_.request_failed(times, ran ? reason_while_running(code) : reason_before_running(code));
  }
  // The version may go with its request.
  request_->complete(std::move(joined));
}

InferResponse SplitRequest::join() {
  InferResponse joined;
  joined.version = responses_.front().version;
  joined.parameters = std::move(responses_.front().parameters);
  for (size_t i = 0; i < responses_.size(); ++i) {
    Status status = append(responses_[i], i, joined);
    if (status.ok()) continue;
    joined = {};
    joined.status = std::move(status);
    break;
  }
  return joined;
}

/// Puts the rows of a part's outputs behind those of the parts before it.
Status SplitRequest::append(const InferResponse& response, size_t part, InferResponse& joined) const {
  const auto cannot = [&](const Tensor& output, const std::string& why) {
    return invalid_argument("model '" + request_->model + "': a request of " + std::to_string(request_->batch_rows) +
                            " rows runs in parts of " + std::to_string(max_rows_) + ", and output '" + output.name +
                            "' can't be joined: " + why + "; send at most " + std::to_string(max_rows_) +
                            " rows in a request");
  };
  if (part > 0 && response.outputs.size() != joined.outputs.size())
    return internal("model '" + request_->model + "' gave " + std::to_string(joined.outputs.size()) +
                    " outputs for some rows, and " + std::to_string(response.outputs.size()) + " for others");
  for (const Tensor& output : response.outputs)
    if (output.shape.empty() || output.shape[0] != rows_of(part))
      return cannot(output, "its shape for " + std::to_string(rows_of(part)) + " rows is " +
                                shape_text(dims(output.shape)) + ", which has no row for each");
  if (part == 0) {
    joined.outputs = response.outputs;
    return ok_status();
  }
  for (Tensor& output : joined.outputs) {
    const Tensor* more = find_output(response, output.name);
    if (!more || !same_rows(output, *more))
      return cannot(output, "its rows are " + shape_text(dims(output.shape)) + " in some parts and " +
                                (more ? shape_text(dims(more->shape)) : "absent") + " in others");
    output.shape[0] += more->shape[0];
    output.data.insert(output.data.end(), more->data.begin(), more->data.end());
  }
  return ok_status();
}

}  // namespace modelmill

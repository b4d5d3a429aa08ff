#include "executions.h"

#include <algorithm>

namespace modelmill::python {
namespace {

/// Answers that a worker may send before the ones before them are taken, with much to spare.
constexpr size_t kMostWaiting = 1024;

}  // namespace

uint64_t Executions::begin(backend::Execution execution) {
  const uint64_t id = next_.fetch_add(1, std::memory_order_relaxed);
  try {
    ExecuteFrame made = make_execute_frame(id, execution, shape_, link_.arena());
    auto running = std::make_unique<Running>(Running{std::move(execution), std::move(made.inputs), 0, {}});
    running->open = running->execution.size();
    running->heard = running->begun = Clock::now();
    for (const backend::Request& request : running->execution)
      running->deadline = std::max(running->deadline, request.info().deadline_ns);
    running->execution.mark_input_end();
    {
      std::unique_lock lock(mutex_);
      if (!closed_.empty()) {
        lock.unlock();
        fail(std::move(running), closed_code_, closed_);
        return 0;
      }
      running_.emplace(id, std::move(running));
    }
    count_.fetch_add(1, std::memory_order_relaxed);
    link_.send(std::move(made.frame));
    return id;
  } catch (...) {
    execution.fail_rest();
    return 0;
  }
}

Executions::Running* Executions::find(uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto it = running_.find(id);
  return it == running_.end() ? nullptr : it->second.get();
}

/// What it returns says that it is done when it is destroyed, which is not to be under the lock.
std::unique_ptr<Executions::Running> Executions::take_out(uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto it = running_.find(id);
  if (it == running_.end()) return nullptr;
  auto out = std::move(it->second);
  running_.erase(it);
  count_.fetch_sub(1, std::memory_order_relaxed);
  return out;
}

void Executions::end(std::unique_ptr<Running> running) {
  std::unique_lock lock(mutex_);
  passed_.wait(lock, [&] { return running->callers == 0; });
}

void Executions::fail(std::unique_ptr<Running> running, mm_code code, const std::string& message) {
  for (backend::Request& request : running->execution)
    if (!request.answered()) request.fail(code, message);
  end(std::move(running));
}

bool Executions::serve(uint64_t until) {
  Frame frame{};
  while (until == 0 || find(until) != nullptr) {
    if (!link_.receive(frame, true)) return false;
    take(frame);
  }
  return true;
}

void Executions::pass_on(uint64_t id, std::span<const std::byte> body) {
  const std::lock_guard lock(mutex_);
  const auto it = running_.find(id);
  if (it == running_.end()) throw ProtocolError("an answer to execution " + std::to_string(id) + ", which is none");
  if (it->second->waiting.size() >= kMostWaiting) throw ProtocolError("it does not wait for its answers to be taken");
  it->second->waiting.emplace_back(body.begin(), body.end());
  passed_.notify_all();
}

void Executions::follow(uint64_t id) {
  while (true) {
    std::vector<std::byte> body;
    {
      std::unique_lock lock(mutex_);
      auto it = running_.find(id);
      passed_.wait(lock, [&] {
        it = running_.find(id);
        return it == running_.end() || !it->second->waiting.empty() || !closed_.empty();
      });
      if (it == running_.end()) return;
      if (it->second->waiting.empty()) break;
      body = std::move(it->second->waiting.front());
      it->second->waiting.pop_front();
    }
    take_response(id, FrameReader(body));
  }
  fail(take_out(id), closed_code_, closed_);
}

void Executions::take(const Frame& frame) {
  switch (frame.type) {
    case FrameType::kResponse:
      return followed() ? pass_on(frame.id, frame.body) : take_response(frame.id, FrameReader(frame.body));
    case FrameType::kFree: {
      const std::lock_guard lock(mutex_);
      kept_.erase(frame.id);
      return;
    }
    default: throw ProtocolError("frame " + std::to_string(static_cast<int>(frame.type)) + " on the data socket");
  }
}

void Executions::take_response(uint64_t id, FrameReader body) {
  Running* running = find(id);
  if (running == nullptr) throw ProtocolError("an answer to execution " + std::to_string(id) + ", which is none");
  const AnswerMemory memory{[this](uint32_t region) { return link_.region(region); }, running->inputs, lent_,
                            memory_limit_ / 2};
  running->execution.mark_infer_end();
  const auto taken = [&](uint32_t request) {
    {
      const std::lock_guard lock(mutex_);
      running->heard = Clock::now();  // while the client read there was nothing to hear
    }
    FrameWriter writer(FrameType::kAck, id);
    writer.put(request);
    link_.send(writer.take());
  };
  const ResponseRecord record = give_answers(running->execution, body, shape_, memory, running->open, taken);
  if (running->open > 0) return;
  if ((record.flags & kKeepsInputs) != 0 && running->inputs) {
    const std::lock_guard lock(mutex_);
    kept_.emplace(id, running->inputs);
  }
  answered_.store(true, std::memory_order_relaxed);
  end(take_out(id));
}

void Executions::fail_all(mm_code code, const std::string& message) {
  std::unordered_map<uint64_t, std::unique_ptr<Running>> failed;
  {
    const std::lock_guard lock(mutex_);
    closed_code_ = code;
    closed_ = message;
    if (!followed()) failed.swap(running_);  // else who follows them does it
    if (!followed()) count_.store(0, std::memory_order_relaxed);
    passed_.notify_all();
  }
  for (auto& [id, running] : failed) fail(std::move(running), code, message);
}

bool Executions::overdue(Clock::time_point since) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(running_.begin(), running_.end(), [&](const auto& r) { return r.second->heard < since; });
}

void Executions::tell_cancelled(Clock::time_point since) {
  std::vector<std::string> frames;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [id, running] : running_) {
      if (running->begun > since) continue;
      running->told.resize(running->execution.size());
      for (uint32_t i = 0; i < running->execution.size(); ++i) {
        // Asked without a look at the rest of the request, which its receiver may be answering.
        if (running->told[i] || backend::host->request_cancelled(running->execution[i].handle()) == 0) continue;
        running->told[i] = true;
        FrameWriter writer(FrameType::kCancel, id);
        writer.put(i);
        frames.push_back(writer.take());
      }
    }
  }
  for (std::string& frame : frames) link_.send(std::move(frame));
}

Caller Executions::caller_of(uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto it = running_.find(id);
  if (it == running_.end()) return {};
  Running* const running = it->second.get();
  ++running->callers;
  const auto made = [this](const Running* of) {
    const std::lock_guard end_lock(mutex_);
    --const_cast<Running*>(of)->callers;
    passed_.notify_all();
  };
  const bool single = running->execution.size() == 1;
  return {single ? running->execution[0].handle() : nullptr, running->deadline,
          std::shared_ptr<const Running>(running, made)};
}

}  // namespace modelmill::python

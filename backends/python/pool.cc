#include "pool.h"

#include <algorithm>
#include <optional>

namespace modelmill::python {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr auto kFirstDelay = std::chrono::milliseconds(100);
constexpr auto kLongestDelay = std::chrono::seconds(30);
/// A worker that lived so long has not failed at its start.
constexpr auto kLongLife = std::chrono::seconds(10);
/// How soon the descriptors and memory of one that is gone are given back, when its thread has ended.
constexpr auto kForgetEvery = std::chrono::milliseconds(500);
constexpr auto kTellMemoryEvery = std::chrono::milliseconds(500);
/// How long requests wait for a worker that is being started.
constexpr auto kPatience = std::chrono::seconds(2);

SteadyClock::duration delay_of(unsigned failures) {
  if (failures == 0) return {};
  return std::min<SteadyClock::duration>(kFirstDelay * (1u << std::min(failures - 1, 10u)), kLongestDelay);
}

}  // namespace

Pool::~Pool() {
  {
    const std::lock_guard lock(self_->mutex);
    self_->pool = nullptr;
  }
  std::unique_lock lock(mutex_);
  closing_ = true;
  for (const Seat& seat : seats_)
    if (seat.worker) seat.worker->stop();
  changed_.wait(lock, [this] { return living_ == 0; });
}

bool Pool::is_ready(const Seat& seat) const {
  return seat.worker && !seat.removed && seat.worker->state() == Worker::State::kReady;
}

void Pool::start(Seat& seat) {
  const auto index = static_cast<size_t>(&seat - seats_.data());
  seat.worker = std::make_shared<Worker>(settings_, seat.device, index, [this](Worker& worker) { changed(worker); });
  ++living_;
  seat.worker->start();
}

size_t Pool::add(const std::string& device) {
  std::unique_lock lock(mutex_);
  const size_t index = seats_.size();
  seats_.push_back({});
  seats_.back().device = device;
  start(seats_.back());
  const std::shared_ptr<Worker> worker = seats_[index].worker;
  changed_.wait(lock, [&] { return seats_[index].has_been_ready || worker->state() == Worker::State::kGone; });
  if (seats_[index].has_been_ready) return index;
  changed_.wait(lock, [&] { return seats_[index].worker != worker; });
  if (const auto failure = worker->failure()) throw backend::Error(failure->code(), failure->what());
  throw backend::Error(MM_UNAVAILABLE, "its Python worker " + worker->end());
}

void Pool::remove(size_t index) {
  std::unique_lock lock(mutex_);
  Seat& seat = seats_[index];
  seat.removed = true;
  changed_.wait(lock, [&] { return !seats_[index].busy; });
  const std::shared_ptr<Worker> worker = seats_[index].worker;
  if (!worker) return;
  worker->stop();
  changed_.wait(lock, [&] { return seats_[index].worker != worker; });
}

void Pool::changed(Worker& worker) {
  const std::lock_guard lock(mutex_);
  const auto seat =
      std::find_if(seats_.begin(), seats_.end(), [&](const Seat& s) { return s.worker.get() == &worker; });
  if (seat == seats_.end()) return;
  if (worker.state() == Worker::State::kReady)
    ready(*seat);
  else
    gone(static_cast<size_t>(seat - seats_.begin()));
}

void Pool::ready(Seat& seat) {
  if (!shape_) {
    shape_ = std::make_unique<const ModelShape>(seat.worker->shape());
    if (MM_HAS(backend::host, model_memory)) post_later([](Pool& pool) { pool.tell_memory(); }, kTellMemoryEvery);
  }
  seat.has_been_ready = true;
  changed_.notify_all();
  tell_availability();
}

void Pool::gone(size_t index) {
  Seat& seat = seats_[index];
  const std::shared_ptr<Worker> worker = std::exchange(seat.worker, nullptr);
  const bool lived_long = SteadyClock::now() - worker->started() >= kLongLife;
  const auto failure = worker->failure();
  seat.end = failure ? std::string("did not start: ") + failure->what() : worker->end();
  if (!worker->over()) let_leave(worker);
  --living_;
  seat.failures = lived_long ? 0 : worker->proved() ? std::min(seat.failures, 1u) : seat.failures + 1;
  const bool again = !closing_ && !seat.removed && seat.has_been_ready;
  if (again) {
    if (MM_HAS(backend::host, model_failed))
      backend::host->model_failed(settings_->host_model, ("the Python worker " + seat.end).c_str());
    const auto delay = delay_of(seat.failures);
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(delay).count();
    backend::log(settings_->host_model, MM_LOG_ERROR,
                 "the Python worker " + seat.end + "; it is started again" +
                     (ms > 0 ? " in " + std::to_string(ms) + " ms" : ""));
    post_later([index](Pool& pool) { pool.start_again(index); }, delay);
  }
  tell_availability();
  changed_.notify_all();
}

void Pool::post_later(std::function<void(Pool&)> task, SteadyClock::duration delay) {
  const auto posted = [self = self_, task = std::move(task)] {
    const std::lock_guard lock(self->mutex);
    if (self->pool != nullptr) task(*self->pool);
  };
  Keeper::get().post(posted, SteadyClock::now() + delay);
}

void Pool::let_leave(std::shared_ptr<Worker> worker) {
  if (leaving_.empty()) post_later([](Pool& pool) { pool.forget_left(); }, kForgetEvery);
  leaving_.push_back(std::move(worker));
}

void Pool::forget_left() {
  const std::lock_guard lock(mutex_);
  std::erase_if(leaving_, [](const auto& old) { return old->over(); });
  if (!leaving_.empty()) post_later([](Pool& pool) { pool.forget_left(); }, kForgetEvery);
}

void Pool::start_again(size_t index) {
  const std::lock_guard lock(mutex_);
  Seat& seat = seats_[index];
  if (!closing_ && !seat.removed && !seat.worker) start(seat);
  changed_.notify_all();
}

void Pool::tell_availability() {
  const bool any = std::any_of(seats_.begin(), seats_.end(), [this](const Seat& seat) { return is_ready(seat); });
  const std::string why = any ? doubt() : why_away();
  if ((why.empty() && available_) || closing_ || !shape_) return;
  available_ = why.empty();
  if (MM_HAS(backend::host, model_available))
    backend::host->model_available(settings_->host_model, available_, why.c_str());
}

void Pool::tell_memory() {
  const std::lock_guard lock(mutex_);
  uint64_t most = 0;
  for (const Seat& seat : seats_)
    if (is_ready(seat)) most = std::max(most, seat.worker->memory());
  // Not only what has changed: the load before of the same version, as it ends, says for both that there is none.
  const bool changed = std::exchange(told_memory_, most) != most;
  if (changed || most > 0) backend::host->model_memory(settings_->host_model, most);
  if (!closing_) post_later([](Pool& pool) { pool.tell_memory(); }, kTellMemoryEvery);
}

std::string Pool::doubt() const {
  for (const Seat& seat : seats_) {
    if (!is_ready(seat)) continue;
    if (const std::string doubt = seat.worker->doubt(); !doubt.empty())
      return "the Python worker of model '" + settings_->model + "' is not ready: " + doubt;
  }
  return {};
}

std::string Pool::why_away() const {
  std::string end;
  for (const Seat& seat : seats_)
    if (!seat.removed && !seat.end.empty()) end = seat.end;
  return "the Python worker of model '" + settings_->model + "' " + (end.empty() ? "is not there" : end) +
         ", and a new one is not ready yet; try again later";
}

/// The number of a seat whose worker is ready and, unless `shared`, has nothing to do.
size_t Pool::acquire(std::unique_lock<std::mutex>& lock, size_t preferred, bool shared) {
  const auto until = SteadyClock::now() + kPatience;
  while (true) {
    std::optional<size_t> best;
    bool any_ready = false, hope = false;
    for (size_t i = 0; i < seats_.size(); ++i) {
      const Seat& seat = seats_[i];
      hope = hope || (!seat.removed && seat.failures <= 1);
      if (!is_ready(seat)) continue;
      any_ready = true;
      if (seat.busy) continue;
      const bool better = !best || (shared && seat.worker->running() < seats_[*best].worker->running());
      if (i == preferred || better) best = i;
      if (i == preferred) break;
    }
    if (best) return *best;
    if (any_ready) {
      changed_.wait(lock);
      continue;
    }
    if (!hope || closing_ || changed_.wait_until(lock, until) == std::cv_status::timeout)
      throw backend::Error(MM_UNAVAILABLE, why_away());
  }
}

void Pool::run(size_t preferred, backend::Execution& execution) {
  std::unique_lock lock(mutex_);
  const size_t index = acquire(lock, preferred, false);
  const std::shared_ptr<Worker> worker = seats_[index].worker;
  seats_[index].busy = true;
  lock.unlock();
  worker->run(std::move(execution));
  lock.lock();
  seats_[index].busy = false;
  changed_.notify_all();
}

void Pool::begin(backend::Execution& execution) {
  std::unique_lock lock(mutex_);
  const std::shared_ptr<Worker> worker = seats_[acquire(lock, SIZE_MAX, true)].worker;
  lock.unlock();
  worker->begin(std::move(execution));
}

}  // namespace modelmill::python

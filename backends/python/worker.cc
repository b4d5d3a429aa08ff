#include "worker.h"

#include <pthread.h>
#include <sys/epoll.h>

#include <cctype>
#include <fstream>

#include "json_text.h"

namespace modelmill::python {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr auto kCheckEvery = std::chrono::milliseconds(100);
/// Where there is no limit.
constexpr auto kMemoryEvery = std::chrono::seconds(1);
constexpr auto kReapWithin = std::chrono::seconds(5);

std::string seconds_text(std::chrono::milliseconds time) {
  const auto ms = time.count();
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}

}  // namespace

uint64_t own_memory_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("RssAnon:")) return std::strtoull(line.c_str() + 8, nullptr, 10) * 1024;
  return 0;
}

Worker::~Worker() {
  if (receiver_.joinable()) receiver_.join();
}

void Worker::start() {
  Keeper::get().post([self = shared_from_this()] { self->start_now(); });
}

void Worker::start_now() {
  started_ = SteadyClock::now();
  Keeper& keeper = Keeper::get();
  try {
    process_ = start_process(settings_->process);
    const auto unsent = [weak = weak_from_this()] {
      Keeper::get().post([weak] {
        if (const auto self = weak.lock()) self->flush();
      });
    };
    data_ = std::make_shared<Link>(std::move(process_.data), settings_->shared_memory, unsent);
    control_ = std::make_shared<Link>(std::move(process_.control), settings_->shared_memory, unsent);
    services_ = std::make_shared<Services>(control_, settings_->host_model, [this](uint64_t execution) {
      return executions_ ? executions_->caller_of(execution) : Caller{};
    });
    out_.emplace(settings_->host_model, MM_LOG_INFO);
    err_.emplace(settings_->host_model, MM_LOG_WARNING);
    const auto self = shared_from_this();
    keeper.watch(process_.handle.get(), EPOLLIN, [self](uint32_t) { self->on_exit(); });
    keeper.watch(control_->fd(), EPOLLIN, [self](uint32_t events) { self->on_control(events); });
    keeper.watch(process_.out.get(), EPOLLIN,
                 [self](uint32_t) { self->on_output(*self->out_, self->process_.out.get()); });
    keeper.watch(process_.err.get(), EPOLLIN,
                 [self](uint32_t) { self->on_output(*self->err_, self->process_.err.get()); });
    FrameWriter hello(FrameType::kHello, 0);
    hello.text("{\"protocol\":" + std::to_string(kProtocolVersion) + ",\"device\":" + json_quoted(device_) +
               ",\"instance\":" + std::to_string(instance_) + "," + settings_->hello + "}");
    control_->send(hello.take());
    check();
  } catch (const backend::Error& e) {
    set_why(e.what());
    if (process_.pid > 0) return kill(e.what());
    state_.store(State::kGone, std::memory_order_release);
    {
      const std::lock_guard lock(mutex_);
      end_ = e.what();
    }
    changed_(*this);
  }
}

void Worker::on_control(uint32_t events) {
  if ((events & EPOLLOUT) != 0) flush();
  try {
    Frame frame{};
    while (control_->receive(frame, false)) on_frame(frame);
  } catch (const backend::Error& e) {
    Keeper::get().unwatch(control_->fd());
    return kill(e.what());
  }
  if (control_->ended()) Keeper::get().unwatch(control_->fd());  // it exits, or is found to hang
}

void Worker::on_frame(const Frame& frame) {
  if (services_->take(frame)) return;
  const FrameReader body(frame.body);
  if (frame.type == FrameType::kReadiness) return on_readiness(FrameReader(body).rest());
  if (frame.type != FrameType::kReady && frame.type != FrameType::kFailed)
    throw ProtocolError("frame " + std::to_string(static_cast<int>(frame.type)) + " on the control socket");
  if (state() != State::kStarting) throw ProtocolError("it is ready twice");
  const auto json = backend::Json::parse(FrameReader(body).rest());
  if (frame.type == FrameType::kReady) return become_ready(json);
  const std::lock_guard lock(mutex_);
  failure_.emplace(MM_FAILED_PRECONDITION, json["error"].text("it did not say why"));
}

void Worker::on_readiness(std::string_view doubt) {
  {
    const std::lock_guard lock(mutex_);
    doubt_ = doubt;
  }
  if (state() == State::kReady) changed_(*this);
}

void Worker::become_ready(const backend::Json& json) {
  shape_ = std::make_unique<ModelShape>(ModelShape::read(json));
  executions_ = std::make_unique<Executions>(*data_, *shape_, settings_->shared_memory);
  if (shape_->concurrent) {
    receiver_over_ = false;
    receiver_ = std::thread([this] { serve_for_ever(); });
    pthread_setname_np(receiver_.native_handle(), ("py " + settings_->model).substr(0, 15).c_str());
  }
  state_.store(State::kReady, std::memory_order_release);
  changed_(*this);
}

void Worker::on_output(LineLog& log, int fd) {
  if (!log.read(fd)) Keeper::get().unwatch(fd);
}

void Worker::flush() {
  if (state() == State::kGone) return;
  Keeper& keeper = Keeper::get();
  keeper.change(control_->fd(), control_->flush() ? EPOLLIN : EPOLLIN | EPOLLOUT);
  const bool sent = data_->flush();
  if (sent == !data_watched_) return;
  data_watched_ = !sent;
  if (sent) return keeper.unwatch(data_->fd());
  keeper.watch(data_->fd(), EPOLLOUT, [self = shared_from_this()](uint32_t events) {
    if ((events & (EPOLLHUP | EPOLLERR)) == 0) return self->flush();
    Keeper::get().unwatch(self->data_->fd());
  });
}

void Worker::check() {
  if (state() == State::kGone) return;
  const auto now = SteadyClock::now();
  if (stopping_ && now >= stop_by_) {
    kill("did not end within " + seconds_text(settings_->stop_limit) + " when it was asked to");
  } else if (state() == State::kStarting && now - started_ >= settings_->start_limit) {
    kill("was not ready within " + seconds_text(settings_->start_limit) +
         " and was killed; raise the model's parameter 'start_timeout_s'");
  } else if (executions_ && settings_->execution_limit.count() > 0 &&
             executions_->overdue(now - settings_->execution_limit)) {
    kill("did not answer within " + seconds_text(settings_->execution_limit) +
         " and was killed; the model's parameter 'execution_timeout_s' sets that limit");
  } else {
    measure(now);
  }
  if (executions_ && executions_->count() > 0) executions_->tell_cancelled(now - kCheckEvery);
  data_->arena().trim(now);
  control_->arena().trim(now);
  Keeper::get().post([self = shared_from_this()] { self->check(); }, now + kCheckEvery);
}

/// Where there is a limit each time, for memory grows fast.
void Worker::measure(SteadyClock::time_point now) {
  const uint64_t limit = memory_limit();
  if (limit == 0 && now - measured_ < kMemoryEvery) return;
  measured_ = now;
  const uint64_t bytes = own_memory_of(process_.pid);
  memory_.store(bytes, std::memory_order_relaxed);
  if (limit > 0 && bytes > limit)
    kill("had " + std::to_string(bytes >> 20) + " MiB of memory, more than the " + std::to_string(limit >> 20) +
         " that " +
         (settings_->memory_limit ? "the model's parameter 'memory_limit_mb' allows"
                                  : "'memory_mb' in its code allows (the model's parameter 'memory_limit_mb' comes "
                                    "before it)") +
         ", and was killed");
}

void Worker::stop() {
  Keeper::get().post([self = shared_from_this()] {
    if (self->state() == State::kGone || self->stopping_.exchange(true)) return;
    self->stop_by_ = SteadyClock::now() + self->settings_->stop_limit;
    if (self->state() == State::kStarting) return self->kill("was stopped while it started");
    self->data_->send(FrameWriter(FrameType::kStop, 0).take());
  });
}

void Worker::set_why(const std::string& why) {
  const std::lock_guard lock(mutex_);
  if (why_.empty()) why_ = why;
}

void Worker::kill(const std::string& why) {
  set_why(why);
  kill_process(process_);
}

/// Any thread: the process's number is the keeper's.
void Worker::ask_kill(const std::string& why) {
  Keeper::get().post([self = shared_from_this(), why] {
    if (self->state() != State::kGone) self->kill(why);
  });
}

void Worker::on_exit() {
  Keeper& keeper = Keeper::get();
  keeper.unwatch(process_.handle.get());
  keeper.unwatch(control_->fd());
  keeper.unwatch(data_->fd());
  const std::string how = reap_process(process_);
  for (auto [log, fd] : {std::pair(&*out_, process_.out.get()), std::pair(&*err_, process_.err.get())}) {
    for (int i = 0; i < 64 && log->read(fd); ++i) {
    }
    log->finish();
    keeper.unwatch(fd);
  }
  try {
    Frame frame{};
    while (control_->receive(frame, false)) on_frame(frame);  // its last words
  } catch (const backend::Error&) {
  }
  {
    const std::lock_guard lock(mutex_);
    end_ = why_.empty() ? how : why_;
  }
  state_.store(State::kGone, std::memory_order_release);
  data_->shut();
  control_->shut();
  reaped_.notify_all();
  changed_(*this);
}

std::string Worker::end() const {
  const std::lock_guard lock(mutex_);
  return end_;
}

std::string Worker::doubt() const {
  const std::lock_guard lock(mutex_);
  return doubt_;
}

std::optional<backend::Error> Worker::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void Worker::run(backend::Execution execution) {
  const uint64_t id = executions_->begin(std::move(execution));
  if (id == 0) return;
  try {
    if (executions_->serve(id)) return;
  } catch (const backend::Error& e) {
    ask_kill(e.what());
  }
  fail_rest();
}

void Worker::begin(backend::Execution execution) {
  const uint64_t id = executions_->begin(std::move(execution));
  while (id != 0 && executions_->followed()) {
    try {
      return executions_->follow(id);
    } catch (const backend::Error& e) {
      ask_kill(e.what());  // it is failed when the worker is gone
    }
  }
}

void Worker::serve_for_ever() {
  try {
    executions_->serve(0);
  } catch (const backend::Error& e) {
    ask_kill(e.what());
  }
  fail_rest();
  receiver_over_.store(true, std::memory_order_release);
}

/// The link has ended: so has the process, or it is made to.
void Worker::fail_rest() {
  std::string why;
  {
    std::unique_lock lock(mutex_);
    const auto ended = [this] { return !end_.empty(); };
    if (!reaped_.wait_for(lock, std::chrono::milliseconds(500), ended)) {
      lock.unlock();
      ask_kill("closed its connection to the server");
      lock.lock();
      reaped_.wait_for(lock, kReapWithin, ended);
    }
    why = end_.empty() ? "closed its connection to the server" : end_;
  }
  const std::string again = stopping_ ? "" : "; a new one is started, so the request can be sent again";
  executions_->fail_all(MM_UNAVAILABLE, label() + " " + why + again);
}

}  // namespace modelmill::python

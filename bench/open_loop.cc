// Load as the world makes it: gRPC calls that arrive at random (a Poisson process) at a given rate, whatever the server
// does. A slow answer holds no later call back, and each call's time counts from when it had to be sent.
//
//     open_loop URL --body FILE --rate R [--seconds S] [--warm-up S] [--drain S] [--connections N] [--seed N]
//               [--objective-us US] [--deadline-us US] [--max-outstanding N] [--real-time 1]
//
// URL is http://127.0.0.1:PORT/SERVICE/METHOD, FILE one call's body with gRPC's five bytes before the message. Arrivals
// of the warm-up are sent and not counted; after the last arrival answers are awaited for --drain. Prints one JSON
// object:
//     arrived        arrivals that count; sent: those that were sent; left_out: those that were not, for want of room
//                    under --max-outstanding
//     answered       status OK, all with as many bytes; refused: {status: calls} of all others; unanswered: no end seen
//     within         answered within --objective-us; goodput: those for each second
//     latency_us     of the answered ones, from the intended arrival; refused_us: of the refused ones
//     late_us        from the intended arrival until the call was handed over to be sent
//     kept_up        nothing was left out, and 90% of the calls were at most a tenth of the objective late (200 us
//                    without one): else the figures are this program's and not the server's
//     cpu_seconds    its own, of the counted part
//     real_time      whether --real-time was granted: it stands for clients on other machines, so it should not wait
//                    until the server's threads have had enough of the processor
#include <sched.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "call_connection.h"
#include "open_loop_options.h"

namespace bench {
namespace {

using std::chrono::duration_cast;
using Seconds = std::chrono::duration<double>;
using Microseconds = std::chrono::duration<double, std::micro>;

constexpr std::array<const char*, 17> kStatus = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

class Quantiles {
 public:
  void add(double value) { values_.push_back(static_cast<float>(value)); }
  double at(double share) {
    if (values_.empty()) return 0;
    std::sort(values_.begin(), values_.end());
    const double place = std::ceil(share * static_cast<double>(values_.size())) - 1;
    return values_[static_cast<size_t>(std::max(place, 0.0))];
  }
  std::string json() {
    if (values_.empty()) return "null";
    double sum = 0;
    for (const float value : values_) sum += value;
    char text[160];
    std::snprintf(text, sizeof text,
                  R"({"mean": %.1f, "p50": %.1f, "p90": %.1f, "p99": %.1f, "p999": %.1f, "max": %.1f})",
                  sum / static_cast<double>(values_.size()), at(0.5), at(0.9), at(0.99), at(0.999), at(1));
    return text;
  }

 private:
  std::vector<float> values_;
};

class OpenLoop {
 public:
  explicit OpenLoop(OpenLoopOptions options)
      : options_(std::move(options)),
        random_(options_.seed),
        gap_(options_.rate),
        epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    for (int i = 0; i < options_.connections; ++i) {
      connections_.push_back(std::make_unique<CallConnection>(options_.port, options_.call,
                                                              [this](const Call& call) { ended(call, Clock::now()); }));
      watch(i, EPOLL_CTL_ADD, EPOLLIN);
    }
    writable_.resize(connections_.size());
  }

  // Runs to the end; false: a connection broke.
  bool run() {
    count_from_ = Clock::now() + duration_cast<Clock::duration>(options_.warm_up);
    arrivals_end_ = count_from_ + duration_cast<Clock::duration>(options_.seconds);
    const auto give_up = arrivals_end_ + duration_cast<Clock::duration>(options_.drain);
    next_ = Clock::now() + gap();
    while (true) {
      const auto now = Clock::now();
      if (cpu_before_ < 0 && now >= count_from_) cpu_before_ = cpu_seconds();
      if (cpu_after_ < 0 && now >= arrivals_end_) cpu_after_ = cpu_seconds();
      for (; next_ <= now && next_ < arrivals_end_; next_ += gap()) arrive(now);
      if (!flush()) return false;
      const bool arriving = next_ < arrivals_end_;
      if (!arriving && cpu_after_ >= 0 && (outstanding_ == 0 || now >= give_up)) return true;
      if (!wait(arriving ? next_ : cpu_after_ < 0 ? arrivals_end_ : give_up)) return false;
    }
  }

  void print() {
    const double late_limit =
        options_.objective.count() > 0 ? static_cast<double>(options_.objective.count()) / 10 : 200;
    const bool kept_up = left_out_ == 0 && late_.at(0.9) <= late_limit;
    std::string refused;
    uint64_t refusals = 0;
    for (const auto& [status, calls] : refused_) {
      refused += (refused.empty() ? "\"" : ", \"") + status + "\": " + std::to_string(calls);
      refusals += calls;
    }
    const uint64_t unanswered = sent_ - answered_ - refusals;
    std::printf("{\"rate\": %g, \"seconds\": %g, \"arrived\": %llu, \"sent\": %llu, \"left_out\": %llu, ",
                options_.rate, options_.seconds.count(), ull(sent_ + left_out_), ull(sent_), ull(left_out_));
    std::printf("\"answered\": %llu, \"refused\": {%s}, \"unanswered\": %llu, \"within\": %llu, \"goodput\": %.3f, ",
                ull(answered_), refused.c_str(), ull(unanswered), ull(within_),
                static_cast<double>(within_) / options_.seconds.count());
    std::printf("\"latency_us\": %s, \"refused_us\": %s, \"late_us\": %s, ", latency_.json().c_str(),
                refused_us_.json().c_str(), late_.json().c_str());
    std::printf("\"kept_up\": %s, \"cpu_seconds\": %.4f, \"real_time\": %s}\n", kept_up ? "true" : "false",
                cpu_after_ - cpu_before_, sched_getscheduler(0) == SCHED_FIFO ? "true" : "false");
  }

 private:
  static unsigned long long ull(uint64_t number) { return number; }

  Clock::duration gap() { return duration_cast<Clock::duration>(Seconds(gap_(random_))); }
  bool counts(Clock::time_point intended) const { return intended >= count_from_; }

  // The call of next_, which is due.
  void arrive(Clock::time_point now) {
    if (outstanding_ >= options_.max_outstanding) {
      left_out_ += counts(next_);
      return;
    }
    connections_[turn_++ % connections_.size()]->start(next_, now);
    ++outstanding_;
    if (!counts(next_)) return;
    ++sent_;
    late_.add(Microseconds(now - next_).count());
  }

  void ended(const Call& call, Clock::time_point now) {
    --outstanding_;
    if (!counts(call.intended)) return;
    const double took = Microseconds(now - call.intended).count();
    const std::string why = failure(call);
    if (!why.empty()) {
      ++refused_[why];
      refused_us_.add(took);
      return;
    }
    ++answered_;
    within_ += options_.objective.count() == 0 || took <= static_cast<double>(options_.objective.count());
    latency_.add(took);
  }

  // Empty for an answer as the first one was.
  std::string failure(const Call& call) {
    if (call.http_status != 200) return "HTTP " + std::to_string(call.http_status);
    if (call.grpc_status < 0) return "no status";
    if (call.grpc_status > 0) return kStatus[std::min<size_t>(call.grpc_status, kStatus.size() - 1)];
    if (answer_bytes_ == 0) answer_bytes_ = call.answer_bytes;
    return call.answer_bytes == answer_bytes_ ? "" : "another answer";
  }

  void watch(size_t connection, int how, uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = connection;
    epoll_ctl(epoll_, how, connections_[connection]->fd(), &event);
  }

  bool flush() {
    for (size_t i = 0; i < connections_.size(); ++i) {
      if (!connections_[i]->flush()) return false;
      if (writable_[i] != connections_[i]->blocked()) {
        writable_[i] = connections_[i]->blocked();
        watch(i, EPOLL_CTL_MOD, writable_[i] ? EPOLLIN | EPOLLOUT : EPOLLIN);
      }
    }
    return true;
  }

  bool wait(Clock::time_point until) {
    const auto left = std::max<int64_t>(0, duration_cast<std::chrono::nanoseconds>(until - Clock::now()).count());
    const timespec timeout = {left / 1'000'000'000, left % 1'000'000'000};
    std::array<epoll_event, 64> events;
    const int count = epoll_pwait2(epoll_, events.data(), events.size(), &timeout, nullptr);
    if (count < 0) return errno == EINTR;
    for (int i = 0; i < count; ++i) {
      if ((events[i].events & ~EPOLLOUT) != 0 && !connections_[events[i].data.u64]->receive()) return false;
    }
    return true;
  }

  const OpenLoopOptions options_;
  std::mt19937_64 random_;
  std::exponential_distribution<double> gap_;
  const int epoll_;
  std::vector<std::unique_ptr<CallConnection>> connections_;
  std::vector<bool> writable_;  // those that are watched for room to write
  size_t turn_ = 0;
  Clock::time_point count_from_, arrivals_end_, next_;
  size_t outstanding_ = 0, answer_bytes_ = 0;
  uint64_t sent_ = 0, left_out_ = 0, answered_ = 0, within_ = 0;
  std::map<std::string, uint64_t> refused_;
  Quantiles latency_, refused_us_, late_;
  double cpu_before_ = -1, cpu_after_ = -1;
};

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  const bench::OpenLoopOptions options = bench::parse_open_loop_options(argc, argv);
  if (options.real_time) {
    sched_param priority{};
    priority.sched_priority = 1;
    sched_setscheduler(0, SCHED_FIFO, &priority);  // without the right to it, it goes on as it is
  }
  prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
  bench::OpenLoop loop(options);
  if (!loop.run()) {
    std::fprintf(stderr, "open_loop: the server has closed a connection\n");
    return 1;
  }
  loop.print();
  return 0;
}

#include "cli/verify/request_speed.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <iterator>
#include <thread>

namespace modelmill {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

std::chrono::nanoseconds RequestSpeed::quantile(double share) const {
  if (times.empty()) return {};
  std::vector<std::chrono::nanoseconds> sorted = times;
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  const size_t at = std::clamp<size_t>(rank, 1, sorted.size()) - 1;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(at), sorted.end());
  return sorted[at];
}

double RequestSpeed::per_second() const {
  const double seconds = std::chrono::duration<double>(wall).count();
  return seconds > 0 ? static_cast<double>(times.size()) / seconds : 0;
}

void measure_speed(std::span<const RecordedRequest> requests, std::span<const std::unique_ptr<HttpClient>> clients,
                   RequestSpeed& into) {
  std::atomic<size_t> next{0};
  const size_t calls = std::max(clients.size(), requests.size());
  std::vector<RequestSpeed> parts(clients.size());
  const auto work = [&](HttpClient& client, RequestSpeed& part) {
    for (size_t i = next++; i < calls; i = next++) {
      const RecordedRequest& request = requests[i % requests.size()];
      const auto begin = Clock::now();
      const auto reply = client.call(request.method, request.path, request.headers, request.body);
      if (reply.ok())
        part.times.push_back(Clock::now() - begin);
      else
        ++part.failed;
    }
  };
  const auto begin = Clock::now();
  std::vector<std::thread> threads;
  for (size_t i = 0; i < parts.size(); ++i) threads.emplace_back([&, i] { work(*clients[i], parts[i]); });
  for (std::thread& thread : threads) thread.join();
  into.wall += Clock::now() - begin;
  for (const RequestSpeed& part : parts) {
    into.times.insert(into.times.end(), part.times.begin(), part.times.end());
    into.failed += part.failed;
  }
}

}  // namespace modelmill

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace modelmill {

/// What is about to come, told from what came: how long after an event, another request or the end of an execution, the
/// next request does, and how many rows there are in the server at a time. Clients that wait for their answers send
/// again as soon as they have them, so that what ran together comes back together. Not synchronised; knows no clock.
class ArrivalForecast {
 public:
  ArrivalForecast() = default;
  ArrivalForecast(const ArrivalForecast&) = delete;
  ArrivalForecast& operator=(const ArrivalForecast&) = delete;

  /// A request of so many rows came, of a shape class; with it so many rows wait or run.
  void arrived(int64_t rows, uint64_t shape_class, int64_t in_flight, TimePoint now);
  /// An execution is over, and its answers are on their way.
  void answered(TimePoint now) {
    last_ = answered_ = std::max(last_, now);
    gaps_ = &after_answer_;
  }
  /// It was waited for population() in vain: these are all.
  void missed(int64_t in_flight) { most_ = most_before_ = in_flight; }

  /// The most rows that waited or ran at a time lately.
  int64_t population() const { return std::max(most_, most_before_); }
  /// Of a request, about; at least 1.
  double mean_rows() const { return std::max(1.0, mean_rows_); }
  /// When the last request came or was answered.
  TimePoint last_event() const { return last_; }
  TimePoint last_answer() const { return answered_; }
  /// How long after the last event to wait for the next request, where to have it is worth so much time: as long as
  /// what is gained, by how often it came within that, is more than what is waited for it. 0: not at all.
  Duration patience(Duration worth, TimePoint now) const;

 private:
  /// Times from events to requests by powers of the square root of two microseconds, up to a second; the last cell has
  /// what is longer, and requests of another shape class.
  static constexpr size_t kCells = 41;
  static constexpr uint32_t kFull = 256;
  static constexpr uint32_t kEnough = 16;
  /// What was in flight at one of so many arrivals before is forgotten.
  static constexpr int kRemembered = 64;
  /// Waiting costs more than its time: the machine is not all that is kept from others.
  static constexpr double kDearer = 1.5;

  struct Gaps {
    std::array<uint16_t, kCells> cells{};
    uint32_t total = 0;

    void add(size_t cell);
  };

  Gaps after_request_, after_answer_;
  Gaps* gaps_ = &after_request_;  // those after the last event
  int64_t most_ = 0, most_before_ = 0;
  int arrivals_ = 0;
  double mean_rows_ = 0;
  uint64_t shape_class_ = 0;
  TimePoint last_{}, answered_{};
};

}  // namespace modelmill

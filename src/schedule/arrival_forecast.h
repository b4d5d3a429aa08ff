#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace modelmill {

/// What is about to come, told from what came: how long after one request the next one does, and how many rows there
/// are in the server at a time. Clients that wait for their answers send again as soon as they have them, so that what
/// ran together comes back together. Not synchronised; knows no clock.
class ArrivalForecast {
 public:
  /// A request of so many rows came, of a shape class; with it so many rows wait or run.
  void arrived(int64_t rows, uint64_t shape_class, int64_t in_flight, TimePoint now);
  /// It was waited for population() in vain: these are all.
  void missed(int64_t in_flight) { most_ = most_before_ = in_flight; }

  /// The most rows that waited or ran at a time lately.
  int64_t population() const { return std::max(most_, most_before_); }
  /// Of a request, about; at least 1.
  double mean_rows() const { return std::max(1.0, mean_rows_); }
  /// When the last request came.
  TimePoint last() const { return last_; }
  /// How long after the last request to wait for the next, where to have it is worth so much time: as long as what is
  /// gained, by how often it came within that, is more than what is waited for it. 0: not at all.
  Duration patience(Duration worth, TimePoint now) const;

 private:
  /// Times between requests by powers of the square root of two microseconds, up to a second; the last cell has what is
  /// longer, and requests of another shape class.
  static constexpr size_t kCells = 41;
  static constexpr uint32_t kFull = 256;
  static constexpr uint32_t kEnough = 16;
  /// What was in flight at one of so many arrivals before is forgotten.
  static constexpr int kRemembered = 64;
  /// Waiting costs more than its time: the machine is not all that is kept from others.
  static constexpr double kDearer = 1.5;

  std::array<uint16_t, kCells> gaps_{};
  uint32_t total_ = 0;
  int64_t most_ = 0, most_before_ = 0;
  int arrivals_ = 0;
  double mean_rows_ = 0;
  uint64_t shape_class_ = 0;
  TimePoint last_{};
};

}  // namespace modelmill

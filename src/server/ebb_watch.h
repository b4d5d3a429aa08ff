#pragma once

namespace modelmill {

/// Says when so many connections have ended that what they leave of the heap, scattered among what lives on, is worth
/// giving back: not more often, since giving back costs, and what is kept serves the next connections well.
class EbbWatch {
 public:
  /// How many connections less than at the last tide make an ebb.
  static constexpr int kEbb = 1000;

  /// Connections now open. True once for each ebb.
  bool has_ebbed(int open) {
    if (open > high_) high_ = open;
    if (high_ - open < kEbb) return false;
    high_ = open;
    return true;
  }

 private:
  int high_ = 0;
};

}  // namespace modelmill

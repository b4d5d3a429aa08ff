#pragma once

#include <string>

namespace modelmill {

/// A rollout or an experiment that a modelmill.yaml wants.
struct YamlWish {
  std::string name;
  std::string plan;   // JSON: its other keys, as who starts one over HTTP sends them
  std::string file;   // as it is told apart from others: absolute where it was read from a path
  std::string place;  // in the file, for people
};

}  // namespace modelmill

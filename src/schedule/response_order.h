#pragma once

#include <deque>
#include <memory>

#include "base/mutex.h"
#include "request/infer_request.h"

namespace modelmill {

/// Lets the responses of a version's requests out in the order in which the requests came (preserve_ordering). A
/// response that is ready early is kept here. Thread-safe; sinks are called one at a time and under no lock.
class ResponseOrder : public std::enable_shared_from_this<ResponseOrder> {
 public:
  /// Gives the request the next place. Its responses go through here from now on.
  void admit(InferRequest& request);

 private:
  class Place;
  struct Response {
    InferResponse response;
    bool final;
    bool has_response;
  };

  void deliver(Place& place, Response response);

  Mutex mutex_;
  std::deque<std::shared_ptr<Place>> places_ MM_GUARDED_BY(mutex_);  // in order of admission; the first may speak
  bool speaking_ MM_GUARDED_BY(mutex_) = false;                      // a thread is handing responses out
};

}  // namespace modelmill

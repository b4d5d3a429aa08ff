#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/optional/optional.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace modelmill {

/// The body of an answer, for Beast's parser: kept whole, or handed on while it arrives.
struct ReplyBody {
  struct value_type {
    std::string text = {};
    /// Of `text`; what goes to the sink has no bound here.
    uint64_t max_text = UINT64_MAX;
    /// What goes beyond that is passed over; else it is an error.
    bool cuts = false;
    /// Takes the bytes of 2xx answers in the place of `text`, when it is set. An error ends the reading.
    std::function<Status(std::string_view)> sink = {};
    Status refused = {};  // what the sink said
  };

  class reader {
   public:
    template <bool kIsRequest, typename Fields>
    reader(boost::beast::http::header<kIsRequest, Fields>& head, value_type& value)
        : value_(value), to_sink_([&head, &value] { return value.sink && head.result_int() / 100 == 2; }) {}

    void init(const boost::optional<uint64_t>&, boost::system::error_code& error) { error = {}; }

    template <typename Buffers>
    size_t put(const Buffers& buffers, boost::system::error_code& error) {
      error = {};
      size_t taken = 0;
      for (auto it = boost::asio::buffer_sequence_begin(buffers); it != boost::asio::buffer_sequence_end(buffers);
           ++it) {
        const boost::asio::const_buffer buffer(*it);
        const std::string_view piece(static_cast<const char*>(buffer.data()), buffer.size());
        if (to_sink_()) {
          value_.refused = value_.sink(piece);
          if (!value_.refused.ok()) error = boost::asio::error::operation_aborted;
        } else if (const uint64_t room = value_.max_text - value_.text.size(); piece.size() <= room || value_.cuts) {
          value_.text += piece.substr(0, room);
        } else {
          error = boost::beast::http::error::body_limit;
        }
        if (error) return taken;
        taken += piece.size();
      }
      return taken;
    }

    void finish(boost::system::error_code& error) { error = {}; }

   private:
    value_type& value_;
    const std::function<bool()> to_sink_;
  };
};

}  // namespace modelmill

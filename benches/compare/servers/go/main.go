// A UDP server on the net package of Go: it echoes bytes, or answers typed JSON.
//
// usage: udp_go PORT [json]
package main

import (
	"encoding/json"
	"net"
	"os"
	"strconv"
)

type request struct {
	ID     uint64     `json:"id"`
	Name   string     `json:"name"`
	Values [8]float64 `json:"values"`
}

type response struct {
	ID   uint64  `json:"id"`
	OK   bool    `json:"ok"`
	Name string  `json:"name"`
	Sum  float64 `json:"sum"`
	Max  float64 `json:"max"`
}

func main() {
	port, _ := strconv.Atoi(os.Args[1])
	typed := len(os.Args) > 2 && os.Args[2] == "json"
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	if err != nil {
		panic(err)
	}
	_ = conn.SetReadBuffer(4 << 20)
	buffer := make([]byte, 65536)
	for {
		size, from, err := conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			continue
		}
		if !typed {
			_, _ = conn.WriteToUDPAddrPort(buffer[:size], from)
			continue
		}
		var req request
		if json.Unmarshal(buffer[:size], &req) != nil {
			continue
		}
		res := response{ID: req.ID, OK: true, Name: req.Name, Max: req.Values[0]}
		for _, value := range req.Values {
			res.Sum += value
			if value > res.Max {
				res.Max = value
			}
		}
		if out, err := json.Marshal(&res); err == nil {
			_, _ = conn.WriteToUDPAddrPort(out, from)
		}
	}
}

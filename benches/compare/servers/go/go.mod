module udp_go

go 1.19

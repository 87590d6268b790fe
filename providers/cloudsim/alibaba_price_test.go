package cloudsim_test

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scalebot/providers/cloudsim"
)

const (
	ecs = "2014-05-26"
	ens = "2017-11-10"
)

// trade is what the last answer wants paid, exactly as it stood on the wire.
func (c *ackClient) trade(t *testing.T) string {
	t.Helper()
	var a struct {
		PriceInfo struct {
			Price struct{ TradePrice json.RawMessage }
		}
	}
	require.NoError(t, json.Unmarshal(c.raw, &a))
	return string(a.PriceInfo.Price.TradePrice)
}

func TestAckECSPrices(t *testing.T) {
	c := newAckClient(t, run(t, func(o *cloudsim.Options) {
		o.Rate = -1
		o.World.Alibaba.Machines = append(o.World.Alibaba.Machines, cloudsim.AlibabaMachine{
			Type: "ecs.flat", PayHourly: decimal.RequireFromString("0.1"), PayMonthly: decimal.RequireFromString("33.33"),
		})
	}))
	base := map[string]string{
		"RegionId": "cn-beijing", "InstanceType": "ecs.c7.xlarge", "ResourceType": "instance",
		"SystemDisk.Category": "cloud_essd", "SystemDisk.Size": "120",
	}
	tests := map[string]struct {
		with map[string]string
		want string // the price or a code
	}{
		"an hour":                {nil, "1.08"},
		"two nodes":              {map[string]string{"Amount": "2"}, "2.16"},
		"said in full":           {map[string]string{"Amount": "2", "PriceUnit": "Hour", "Period": "1", "InternetChargeType": "PayByTraffic", "InternetMaxBandwidthOut": "0"}, "2.16"},
		"a data disk":            {map[string]string{"DataDisk.1.Category": "cloud_ssd", "DataDisk.1.Size": "500"}, "1.78"},
		"four data disks":        {map[string]string{"DataDisk.1.Category": "cloud_ssd", "DataDisk.1.Size": "20", "DataDisk.2.Category": "cloud_ssd", "DataDisk.2.Size": "20", "DataDisk.3.Category": "cloud_ssd", "DataDisk.3.Size": "20", "DataDisk.4.Category": "cloud_ssd", "DataDisk.4.Size": "21"}, "1.1934"},
		"a fifth data disk":      {map[string]string{"DataDisk.5.Category": "cloud_ssd", "DataDisk.5.Size": "20"}, "InvalidParameter"},
		"the usual system disk":  {map[string]string{"SystemDisk.Category": "-", "SystemDisk.Size": "-"}, "0.9696"},
		"a month":                {map[string]string{"PriceUnit": "Month"}, "540"},
		"nine months, two nodes": {map[string]string{"PriceUnit": "Month", "Period": "9", "Amount": "2"}, "9720"},
		"twelve months":          {map[string]string{"PriceUnit": "Month", "Period": "12"}, "InvalidParameter"},
		"a year":                 {map[string]string{"PriceUnit": "Year"}, "5568"},
		"five years":             {map[string]string{"PriceUnit": "Year", "Period": "5"}, "27840"},
		"six years":              {map[string]string{"PriceUnit": "Year", "Period": "6"}, "InvalidParameter"},
		"two hours":              {map[string]string{"PriceUnit": "Hour", "Period": "2"}, "InvalidParameter"},
		"by the week":            {map[string]string{"PriceUnit": "Week"}, "InvalidParameter"},
		"a year without its own": {map[string]string{"InstanceType": "ecs.flat", "PriceUnit": "Year", "SystemDisk.Size": "20"}, "567.96"},
		"spot":                   {map[string]string{"SpotStrategy": "SpotAsPriceGo", "ZoneId": "cn-beijing-h"}, "0.312"},
		"spot without a zone":    {map[string]string{"SpotStrategy": "SpotAsPriceGo"}, "MissingParameter"},
		"spot has no terms":      {map[string]string{"SpotStrategy": "SpotAsPriceGo", "PriceUnit": "Month"}, "540"},
		"spot of none such":      {map[string]string{"SpotStrategy": "SpotAsPriceGo", "ZoneId": "cn-beijing-h", "InstanceType": "ecs.flat"}, "InvalidInstanceType.ValueNotSupported"},
		"unknown strategy":       {map[string]string{"SpotStrategy": "Cheap"}, "InvalidParameter"},
		"no machine":             {map[string]string{"InstanceType": "-"}, "MissingParameter"},
		"unknown machine":        {map[string]string{"InstanceType": "ecs.x9.huge"}, "InvalidInstanceType.ValueNotSupported"},
		"an ENS machine":         {map[string]string{"InstanceType": "ens.sn1.tiny"}, "InvalidInstanceType.ValueNotSupported"},
		"unknown region":         {map[string]string{"RegionId": "moon"}, "InvalidParameter"},
		"no region":              {map[string]string{"RegionId": "-"}, "InvalidParameter"},
		"a disk alone":           {map[string]string{"ResourceType": "disk"}, "InvalidParameter"},
		"none":                   {map[string]string{"Amount": "0"}, "InvalidParameter"},
		"1001":                   {map[string]string{"Amount": "1001"}, "InvalidParameter"},
		"unknown disk":           {map[string]string{"SystemDisk.Category": "floppy"}, "InvalidParameter"},
		"disk of no size":        {map[string]string{"DataDisk.1.Category": "cloud_ssd"}, "InvalidParameter"},
		"disk of no category":    {map[string]string{"DataDisk.1.Size": "40"}, "InvalidParameter"},
		"disk too small":         {map[string]string{"DataDisk.1.Category": "cloud_ssd", "DataDisk.1.Size": "19"}, "InvalidParameter"},
		"bandwidth":              {map[string]string{"InternetMaxBandwidthOut": "5"}, "InvalidParameter"},
		"unknown parameter":      {map[string]string{"Count": "5"}, "InvalidParameter"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ask := maps.Clone(base)
			for k, v := range tt.with {
				if ask[k] = v; v == "-" {
					delete(ask, k)
				}
			}
			a := c.price(ecs, ask)
			if code := a.ackCode(); code != "" {
				require.Equal(t, tt.want, code)
				return
			}
			require.Equal(t, tt.want, c.trade(t))
		})
	}
	base["Amount"] = "2"
	p := c.price(ecs, base).sub("PriceInfo").sub("Price")
	require.Equal(t, "CNY", p["Currency"])
	require.InDelta(t, 2.48, p["OriginalPrice"], 1e-9)
	require.InDelta(t, 0.32, p["DiscountPrice"], 1e-9, "the reduction, not the price")
	details := p.sub("DetailInfos").list("DetailInfo")
	require.Equal(t, []string{"instanceType", "systemDisk"}, states(details, "Resource"))
	require.InDelta(t, 1.92, details[0]["TradePrice"], 1e-9)
	require.InDelta(t, 0.24, details[1]["TradePrice"], 1e-9)
	c.style = "v2"
	c.price(ecs, base)
	require.Equal(t, "2.16", c.trade(t), "either signature")
}

func TestAckENSPrices(t *testing.T) {
	c := newAckClient(t, run(t, func(o *cloudsim.Options) { o.Rate = -1 }))
	base := map[string]string{
		"InstanceType": "ens.sn1.tiny", "EnsRegionId": "cn-beijing-cmcc-2", "Period": "1", "SystemDisk.Size": "20", "Quantity": "1",
		"InternetChargeType": "BandwidthByDay",
	}
	tests := map[string]struct {
		with map[string]string
		want string
	}{
		"a month":                  {nil, "180"},
		"said in full":             {map[string]string{"PeriodUnit": "Month", "DataDisk.1.Size": "0"}, "180"},
		"two nodes, a year":        {map[string]string{"Quantity": "2", "Period": "12"}, "4320"},
		"a data disk":              {map[string]string{"DataDisk.1.Size": "50"}, "255"},
		"three days":               {map[string]string{"PeriodUnit": "Day", "Period": "3"}, "18"},
		"one day":                  {map[string]string{"PeriodUnit": "Day"}, "InvalidParameter.Period"},
		"ten months":               {map[string]string{"Period": "10"}, "InvalidParameter.Period"},
		"two years":                {map[string]string{"Period": "24"}, "InvalidParameter"},
		"by the year":              {map[string]string{"PeriodUnit": "Year"}, "InvalidParameter"},
		"an ECS machine":           {map[string]string{"InstanceType": "ecs.c5.xlarge"}, "InvalidParameter.InstanceType"},
		"an ordinary region":       {map[string]string{"EnsRegionId": "cn-beijing"}, "InvalidParameter.EnsRegionId"},
		"unknown bandwidth":        {map[string]string{"InternetChargeType": "PayByTraffic"}, "InvalidParameter"},
		"no bandwidth":             {map[string]string{"InternetChargeType": "-"}, "MissingParameter"},
		"no quantity":              {map[string]string{"Quantity": "-"}, "MissingParameter"},
		"no term":                  {map[string]string{"Period": "-"}, "MissingParameter"},
		"no system disk":           {map[string]string{"SystemDisk.Size": "-"}, "MissingParameter"},
		"the name that ECS has it": {map[string]string{"Amount": "2"}, "InvalidParameter"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ask := maps.Clone(base)
			for k, v := range tt.with {
				if ask[k] = v; v == "-" {
					delete(ask, k)
				}
			}
			a := c.price(ens, ask)
			if code := a.ackCode(); code != "" {
				require.Equal(t, tt.want, code)
				return
			}
			require.Equal(t, tt.want, c.trade(t))
		})
	}
}
